import { FleetmarkError } from "@fleetmark/shared/errors";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { z } from "zod";
import { type CommandParts, defineCommand } from "./command-definition.js";

const argumentsSchema = z.strictObject({
  suite: z.string().min(1).max(200),
  benchmarks: z.array(z.string().min(1).max(500)).min(1).max(100).optional().describe("globs of benchmarks' full names"),
  patience_s: z
    .number()
    .positive()
    .max(30 * 86_400)
    .default(3600)
    .describe("how long it waits until the host is free"),
  at_once: z.boolean().default(false).describe("whether it begins though the host is not free, and gives way to nothing"),
});

/** Runs that wait, from commands, beyond which no more are taken: people and campaigns give them. */
const mostWaiting = 16;

/** @throws FleetmarkError COMMAND_FORBIDDEN, BENCHMARK_UNKNOWN, COMMANDS_TOO_MANY */
function check({ bench, queue, allowed }: CommandParts, suite: string, atOnce: boolean): void {
  if (!allowed.suites.includes("*") && !allowed.suites.includes(suite)) {
    throw new FleetmarkError("COMMAND_FORBIDDEN", `the suite ${JSON.stringify(suite)} is not among those that may be asked for`);
  }
  if (atOnce && !allowed.atOnce) throw new FleetmarkError("COMMAND_FORBIDDEN", "runs wait until this host is free for them");
  if (bench.findSuite(suite) === undefined) {
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `there is no suite named ${JSON.stringify(suite)}`);
  }
  const waiting = queue.read().waiting.filter(({ trigger }) => trigger === "command").length;
  if (waiting >= mostWaiting) throw new FleetmarkError("COMMANDS_TOO_MANY", `${waiting} runs that were asked for wait already`);
}

/** Runs a suite of the host's, or some benchmarks of it. What it gives is the id of the run, which may have to wait. */
export const startRunCommand = defineCommand("start_run", argumentsSchema, (parts) => async (given, command) => {
  const { suite, benchmarks, patience_s, at_once } = given;
  check(parts, suite, at_once);
  const nowMs = parts.nowMs();
  const run = createRunId(nowMs);
  const added = parts.queue.add({
    run,
    suite,
    trigger: "command",
    command,
    due_us: Math.round(nowMs * 1000),
    expires_us: Math.round((nowMs + patience_s * 1000) * 1000),
    needs_idle: !at_once,
    ...(benchmarks === undefined ? {} : { benchmarks }),
  });
  added.catch(() => {});
  return { run };
});
