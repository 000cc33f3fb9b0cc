import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CollectorConfig } from "@fleetmark/collector";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import type { HostKpi } from "@fleetmark/shared/model/kpis";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { formatDuration } from "@fleetmark/shared/model/units";
import type { Command } from "commander";
import { askCollector } from "../client/collector-api.js";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { formatKpiTable } from "../output/kpi-table.js";
import { chooseColours, createProgressLine, type ProgressLine } from "../output/terminal.js";
import { type Supervised, supervise } from "../processes/supervise.js";

const pollMs = 250;

interface UpOptions {
  readonly once?: boolean;
  readonly data?: string;
  readonly suite: string;
  readonly json?: boolean;
}

interface Pair {
  readonly collector: Supervised<{ grpc: Address; http: Address }>;
  readonly agent: Supervised<{ host: string }>;
}

interface Outcome {
  readonly host: string;
  readonly run: Run;
  readonly kpis: readonly HostKpi[];
  readonly results: readonly Result[];
}

export function addUpCommand(program: Command): void {
  const command = program
    .command("up")
    .description("run a collector and an agent on this machine: benchmark it at once, then keep watching it")
    .option("--once", "end after the suite: exit code 0, or 1 if a KPI breaches its alert threshold")
    .option("--data <dir>", "where the measurements are kept (the same as --data-dir)")
    .option("--suite <name>", "the suite to run at once; none to watch only", "quick")
    .option("--json", "one JSON document on stdout: {host, run, kpis, results}")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark up
  fleetmark up --once --data /tmp/trial
  fleetmark up --once --json > first-light.json`,
    );
  addConfigFlags(command, configSchemas.collector);
  command.action(async (options: UpOptions) => {
    process.exitCode = await bringUp(command, options);
  });
}

async function bringUp(command: Command, options: UpOptions): Promise<number> {
  const config = readConfig(command, configSchemas.collector, options.data === undefined ? {} : { data_dir: options.data });
  const interrupted = new Promise<"interrupted">((resolve) => {
    process.once("SIGINT", () => resolve("interrupted"));
    process.once("SIGTERM", () => resolve("interrupted"));
  });
  const progress = createProgressLine();
  const startedUs = Date.now() * 1000;
  const pair = await startPair(config, options.suite, progress);
  const following = new AbortController();
  try {
    const lost = Promise.race([pair.collector.lost, pair.agent.lost]);
    const shown = showRun(pair, options, startedUs, progress, interrupted, following.signal);
    const ending = await Promise.race([interrupted, lost, shown]);
    return ending === "interrupted" ? 0 : ending;
  } finally {
    following.abort();
    progress.clear();
    await pair.agent.stop();
    await pair.collector.stop();
  }
}

async function startPair(config: CollectorConfig, suite: string, progress: ProgressLine): Promise<Pair> {
  const environment = { FLEETMARK_LOG_LEVEL: "warn", ...process.env };
  const tellRestart = (name: string) => (description: string) => {
    progress.clear();
    process.stderr.write(`the ${name} ended (${description}); starting it again\n`);
  };
  // A collector that is started again listens where the agent knows it, even if the first port was the system's choice.
  const chooseCollectorArgs = (
    facts: { grpc: Address; http: Address } = { grpc: config.grpc.listen, http: config.http.listen },
  ) => [
    ...["collector", "--data-dir", config.data_dir],
    ...["--grpc-listen", formatAddress(facts.grpc), "--http-listen", formatAddress(facts.http)],
  ];
  const collector: Pair["collector"] = await supervise(chooseCollectorArgs, environment, tellRestart("collector"));
  try {
    const agentArgs = [
      ...["agent", "--collector-address", formatAddress(collector.facts.grpc)],
      ...["--spool-dir", join(config.data_dir, "spool"), "--run-on-start", suite],
    ];
    const agent: Pair["agent"] = await supervise(() => agentArgs, environment, tellRestart("agent"));
    return { collector, agent };
  } catch (thrown) {
    await collector.stop();
    throw thrown;
  }
}

/** Shows the run's progress and outcome. Resolves to the exit code with --once, else when the person interrupts. */
async function showRun(
  pair: Pair,
  options: UpOptions,
  startedUs: number,
  progress: ProgressLine,
  interrupted: Promise<"interrupted">,
  following: AbortSignal,
): Promise<number | "interrupted"> {
  const http = pair.collector.facts.http;
  process.stderr.write(`collector: gRPC on ${formatAddress(pair.collector.facts.grpc)}, HTTP on http://${formatAddress(http)}\n`);
  if (options.suite === "none") return interrupted;
  const outcome = await awaitOutcome(http, pair.agent.facts.host, startedUs, progress, following);
  if (outcome === undefined) return interrupted;
  progress.clear();
  if (options.json) process.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`);
  else process.stdout.write(formatOutcome(outcome));
  if (options.once) return chooseExitCode(outcome);
  process.stderr.write(`\nWatching this host; the HTTP API is at http://${formatAddress(http)}/api/v1/kpis. Ctrl-C stops.\n`);
  return interrupted;
}

/**
 * Follows the host's run until the collector has committed its end, then reads what it gave; undefined if stopped
 * before.
 */
async function awaitOutcome(
  http: Address,
  host: string,
  startedUs: number,
  progress: ProgressLine,
  following: AbortSignal,
): Promise<Outcome | undefined> {
  while (!following.aborted) {
    const ended = await askPatiently(() => askCollector(http, "runs", { host, limit: "1" }));
    const run = ended?.find((each) => each.started_us >= startedUs);
    if (run !== undefined) {
      const [hosts, results] = await Promise.all([
        askCollector(http, "kpis", { run: run.run }),
        askCollector(http, "results", { run: run.run }),
      ]);
      return { host, run, kpis: hosts[0]?.kpis ?? [], results };
    }
    const hosts = await askPatiently(() => askCollector(http, "hosts"));
    const now = hosts?.find((each) => each.host === host)?.progress;
    if (now && !following.aborted) {
      const { completed, total, benchmark, elapsed_s, remaining_s } = now;
      const time = `elapsed ${formatDuration(elapsed_s)}, remaining ${formatDuration(remaining_s)}`;
      progress.show(`${completed}${benchmark}`, `benchmark ${Math.min(completed + 1, total)} of ${total}  ${benchmark}  ${time}`);
    }
    await delay(pollMs);
  }
  return undefined;
}

/** Asks, and returns undefined where nothing answers: a collector that died is being started again. */
async function askPatiently<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}

function formatOutcome({ host, run, kpis }: Outcome): string {
  const colour = chooseColours(process.stdout);
  const failures = run.failures.map(({ name, error }) => `${colour.red("failed")} ${name}: ${error}\n`).join("");
  const summary = `suite ${run.suite} on ${host}: ${run.completed} of ${run.total} benchmarks in ${formatDuration(run.duration)}`;
  return `${colour.bold(summary)}\n${failures}\n${formatKpiTable(kpis, colour)}\n`;
}

/** 1 if a KPI breaches its alert threshold, 3 if one could not be measured, else 0. */
function chooseExitCode({ kpis }: Outcome): number {
  if (kpis.some((reading) => reading.status === "alert")) return 1;
  return kpis.length === 0 || kpis.some((reading) => reading.status === "missing") ? 3 : 0;
}
