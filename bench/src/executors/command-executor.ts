import { FleetmarkError } from "@fleetmark/shared/errors";
import type { CardPlace } from "../gpus/card-place.js";
import { watchCard } from "../gpus/card-watch.js";
import { describePeak } from "../gpus/peaks.js";
import { runCommand } from "./command.js";
import type { Executor, ExecutorOptions, Job, ProcessRun } from "./executor.js";
import { runReportingCommand } from "./reporting-command.js";

/**
 * Runs a command that is put on a card, which is watched meanwhile.
 * @throws FleetmarkError DEVICE_BUSY, and BENCHMARK_FAILED when it ran on another card
 */
export async function runOnCard(job: Job, card: CardPlace, options: ExecutorOptions, watch = watchCard): Promise<ProcessRun> {
  const { device } = job.benchmark;
  const watching = await watch(card, options.signal);
  const onQuiet = (quiet: boolean): void => {
    watching.onTimed(quiet);
    options.onQuiet?.(quiet);
  };
  let run: ProcessRun;
  try {
    run = await runCommand(job, { ...options, onQuiet });
  } catch (thrown) {
    await watching.stop();
    throw thrown;
  }
  const { metadata, disturbance } = await watching.stop();
  // What fell back to the CPU says so by its name.
  if (run.device === "cpu") return run;
  // Figures of another card would be filed as this one's.
  if (run.device !== device)
    throw new FleetmarkError("BENCHMARK_FAILED", `it was put on ${device} and says that it ran on ${run.device}`);
  const { workload, params } = job.benchmark;
  const peak = describePeak(card.name, { workload, params, perIteration: run.processed.perIteration, samples: run.samples });
  const more = { ...metadata, ...peak };
  return { ...run, metadata: { ...run.metadata, ...more }, cardDisturbance: disturbance };
}

export const commandExecutor: Executor = {
  name: "command",
  run(job, options) {
    const { command, card } = job.benchmark;
    if (command?.report !== undefined) return runReportingCommand(job, command, command.report, options);
    return card === undefined ? runCommand(job, options) : runOnCard(job, card, options);
  },
};
