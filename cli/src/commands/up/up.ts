import { formatAddress, formatDuration } from "@fleetmark/shared/model/units";
import { version } from "@fleetmark/shared/version";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Endpoint, formatUrl } from "../../client/endpoint.js";
import { createRunningSource } from "../../client/running-collector.js";
import { findOwnEndpoint } from "../../config/collector-flags.js";
import { printText } from "../../output/formats.js";
import { printJson, tell } from "../../output/message.js";
import { createProgressLine, type ProgressLine } from "../../output/progress-line.js";
import { onReaderGone } from "../../output/standard-streams.js";
import { chooseColours, isScreen } from "../../output/terminal.js";
import { awaitInterruption, type Interruption } from "../../processes/interruption.js";
import { formatSince } from "../../tables/times.js";
import { addChildrenFlags, type ChildrenPlan, planChildren } from "./children.js";
import { awaitFirstSample, type FollowOptions, followRun } from "./follow.js";
import { chooseExitCode, type Outcome, readKnown, readOutcome, summarizeRun, tabulateOutcome } from "./outcome.js";
import { type Pair, startPair } from "./pair.js";
import { startWatch } from "./watch.js";

interface UpOptions {
  readonly once?: boolean;
  readonly data?: string;
  readonly suite: string;
  readonly json?: boolean;
}

/** What `up` works with once both daemons run. */
interface Up extends FollowOptions {
  readonly collector: Endpoint;
  readonly options: UpOptions;
  readonly plan: ChildrenPlan;
  readonly pair: Pair;
}

/** The agent's flag of this name is the one that `up` sets itself. */
function refuseRunOnStart(): never {
  throw new InvalidArgumentError("The suite that runs at once is named by --suite.");
}

export function defineUp(command: Command): void {
  command
    .option("--once", "end after the suite: exit code 0, or 1 if a KPI breaches its alert threshold")
    .option("--data <dir>", "where the measurements are kept (the same as --data-dir)")
    .addOption(
      new Option("--suite <name>", "the suite to run at once; none to watch only").default("quick").env("FLEETMARK_RUN_ON_START"),
    )
    .option("--json", "one JSON document on stdout: {host, run, kpis, results, changes}")
    .addOption(new Option("--run-on-start <suite>").hideHelp().argParser(refuseRunOnStart))
    .addHelpText(
      "after",
      `
The configuration is that of \`fleetmark collector\` and of \`fleetmark agent\`: each
flag goes to the one that has it, or to both.

Examples:
  fleetmark up
  fleetmark up --once --data /tmp/trial
  fleetmark up --once --json > first-light.json
  fleetmark up --suite none --telemetry-interval 1s
  fleetmark up --store-kind influxdb --store-url http://127.0.0.1:8086`,
    );
  addChildrenFlags(command);
  command.action(async (options: UpOptions) => {
    process.exitCode = await bringUp(command, options);
  });
}

async function bringUp(command: Command, options: UpOptions): Promise<number> {
  const plan = planChildren(command, options, process.env);
  const interruption = awaitInterruption();
  const progress = createProgressLine();
  const onRestart = (message: string): void => {
    progress.clear();
    tell(message);
  };
  const startedUs = Date.now() * 1000;
  const environment = { FLEETMARK_LOG_LEVEL: "warn", ...process.env };
  const { suite } = options;
  try {
    const pair = await startPair({ plan, suite, environment, onRestart, signal: interruption.signal });
    const { facts } = pair.collector;
    const collector = await findOwnEndpoint({ ...plan.collector, http: { ...plan.collector.http, listen: facts.http } });
    const source = createRunningSource(collector);
    return await followPair(
      { options, plan, pair, collector, source, startedUs, progress, signal: interruption.signal },
      interruption,
    );
  } catch (thrown) {
    const caught = interruption.caught();
    if (caught === undefined) throw thrown;
    return caught;
  }
}

/** Shows what the pair does until the work is done, or someone ends it; then stops both, and says what is kept. */
async function followPair(up: Up, { code }: Interruption): Promise<number> {
  const { pair, progress, plan } = up;
  const following = new AbortController();
  const readerGone = new Promise<number>((resolve) => onReaderGone(() => resolve(0)));
  try {
    const shown = showWork({ ...up, signal: AbortSignal.any([up.signal, following.signal]) });
    return await Promise.race([code, readerGone, pair.lost, shown]);
  } finally {
    following.abort();
    progress.clear();
    // The terminal has written ^C into the line.
    if (up.signal.aborted && isScreen(process.stderr)) tell("");
    const waiting = await pair.stop();
    tellWhatIsKept(plan, waiting);
  }
}

/** Resolves to the exit code with --once; else it goes on until someone ends it. */
async function showWork(up: Up): Promise<number> {
  const { options, collector, source, signal } = up;
  await showFirstScreen(up);
  const outcome = options.suite === "none" ? await findKnown(up) : await findOutcome(up);
  if (outcome !== undefined) showOutcome(outcome, up.progress, options);
  if (options.once && !signal.aborted) return outcome === undefined ? 3 : chooseExitCode(outcome);
  if (!signal.aborted) {
    tell(`\nWatching this host, a line a minute; the HTTP API is at ${formatUrl(collector, "/api/v1/kpis")}. Ctrl-C stops.`);
    const watch = startWatch(source, collector);
    signal.addEventListener("abort", watch.stop);
  }
  return new Promise<never>(() => undefined);
}

/** Says where everything is, and what comes now. */
async function showFirstScreen({ options, plan, pair, collector, source }: Up): Promise<void> {
  const { grpc } = pair.collector.facts;
  const { host } = pair.agent.facts;
  const [last] = await source.readRuns({ host }, { limit: 1 }).catch(() => []);
  const before = last === undefined ? "" : `; the last run ended ${formatSince(last.time_us, Date.now() * 1000)}`;
  const { store, data_dir } = plan.collector;
  const where = store.kind === "duckdb" ? data_dir : `${store.kind} at ${store.url}`;
  tell(`Fleetmark ${version} measures this machine${options.once ? "" : ", then keeps watching it"}.`);
  tell(`collector: gRPC on ${formatAddress(grpc)}, HTTP on ${formatUrl(collector)}`);
  tell(`agent:     ${host}, telemetry every ${formatDuration(plan.agent.telemetry.interval)}`);
  tell(`data:      ${where}${before}`);
  const { schedule } = plan.agent.run;
  const plans = schedule.map(({ suite, cron }) => `${suite} at ${cron}`);
  if (plans.length > 0) tell(`schedule:  ${plans.join(", ")}; each when this machine is free for it`);
  if (options.suite !== "none") tell(`suite:     ${options.suite}; Ctrl-C ends it and keeps what was measured`);
}

async function findOutcome(up: Up): Promise<Outcome | undefined> {
  const run = await followRun(up);
  up.progress.clear();
  if (run?.reason !== undefined && !up.signal.aborted) {
    tell(`the suite did not run to its end, for ${run.reason}; what was measured is kept`);
  }
  if (run !== undefined) return readOutcome(up.source, run, up.plan.collector.kpis);
  if (!up.signal.aborted) tell("the agent ended in the midst of the suite; what it had measured is kept");
  return undefined;
}

/** What was known before; on a new host that is nothing, but for that samples come in. */
async function findKnown(up: Up): Promise<Outcome | undefined> {
  if (up.options.once && !(await awaitFirstSample(up))) {
    if (!up.signal.aborted) tell("nothing of this host was stored");
    return undefined;
  }
  return readKnown(up.source, up.pair.agent.facts.host);
}

function showOutcome(outcome: Outcome, progress: ProgressLine, { json }: UpOptions): void {
  progress.clear();
  if (json) {
    printJson(outcome);
    return;
  }
  if (outcome.run !== null) process.stdout.write(`\n${summarizeRun(outcome.run, chooseColours(process.stdout))}\n`);
  else if (outcome.kpis.length === 0) return;
  printText(tabulateOutcome(outcome, Date.now() * 1000), "; `fleetmark kpis` shows more");
}

/** What was measured outlives `up`, however it ended. */
function tellWhatIsKept({ collector: { store, data_dir } }: ChildrenPlan, waiting: number): void {
  const where = store.kind === "duckdb" ? data_dir : `the ${store.kind} store`;
  const show = store.kind === "duckdb" ? `; \`fleetmark results --data ${data_dir}\` shows it` : "";
  tell(`Kept in ${where}${show}.`);
  if (waiting > 0) tell(`${waiting} values wait in the agent's spool, and are sent when it runs again.`);
}
