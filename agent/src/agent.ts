import { FleetmarkError } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { version } from "@fleetmark/shared/version";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { destination, pino } from "pino";
import { answerCommand, type CommandInbox, createCommandInbox } from "./commands/command-inbox.js";
import { commandHandlers } from "./commands/command-registry.js";
import type { AgentConfig } from "./config.js";
import { type Delivery, startDelivery } from "./delivery/delivery.js";
import type { Link } from "./delivery/link.js";
import { type ClockOffsetMeter, createClockOffsetMeter } from "./links/clock-offset.js";
import type { LinkOptions } from "./links/link-options.js";
import { loadLink } from "./links/load-link.js";
import { readInventory } from "./probes/inventory.js";
import { probes } from "./probes/registry.js";
import { createTelemetry } from "./probes/telemetry.js";
import { addOwnSuites, type Bench, loadBench } from "./runs/bench.js";
import { createQuietGate, type QuietGate } from "./runs/quiet-gate.js";
import { type RunOutcome, type SuiteRun, startSuiteRun } from "./runs/suite-run.js";
import { createSelfTelemetry } from "./self-telemetry.js";
import { type ClockReading, readHostClocks } from "./time/clock.js";
import { startTicker } from "./time/ticker.js";

/** Seconds. The last two are shares of the two seconds in which the agent must stop. */
const patience = { inventory: 5, interruptedRun: 0.8, acknowledgement: 0.9 } as const;

const roots = { proc: "/proc", sys: "/sys" };

/** An agent at work. */
export interface Agent {
  readonly host: string;
  /** Resolves when the fate of all that the run on start gave is known; with undefined where none was asked for. */
  readonly runFinished: Promise<RunOutcome | undefined>;
  /**
   * Stops within two seconds; a run under way is interrupted and kept. Returns the samples that the
   * collector has not acknowledged: they are in the spool, and the next agent on it sends them.
   */
  stop(): Promise<{ unacked: number }>;
}

/** What an agent is made of. */
interface AgentState {
  readonly config: AgentConfig;
  readonly logger: Logger;
  readonly bench: Bench;
  readonly facts: object;
  readonly hardwareClass: string;
  readonly delivery: Delivery;
  readonly startLink: (options: LinkOptions) => Link;
  readonly clockOffset: ClockOffsetMeter;
  readonly inbox: CommandInbox;
  readonly gate: QuietGate;
  readonly ending: AbortController;
}

function startTelemetry({ config, delivery, clockOffset, gate, logger, ending }: AgentState): Running {
  const { interval, probes: names } = config.telemetry;
  const chosen = probes.filter((probe) => names.includes(probe.name));
  const sampleHost = createTelemetry(chosen, roots, logger);
  const sampleSelf = createSelfTelemetry(delivery, clockOffset);
  return startTicker(interval, async () => {
    await gate.pass(interval);
    if (ending.signal.aborted) return;
    const nowUs = delivery.clock.stamp();
    const points = await sampleHost(nowUs);
    delivery.record([...points, ...sampleSelf(nowUs)]);
  });
}

/** Returns what the host is made of as JSON. What cannot be found out is left out and logged. */
async function describeHost({ facts, ending: { signal }, logger }: AgentState): Promise<string> {
  try {
    return JSON.stringify({ ...(await readInventory(patience.inventory, signal)), facts });
  } catch (thrown) {
    if (!signal.aborted) logger.warn({ event: "inventory_failed", err: thrown });
    return JSON.stringify({ facts });
  }
}

function createLogger(level: string): Logger {
  return pino({ level, base: undefined }, destination({ dest: 2, sync: true }));
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN */
function checkSuite(suite: string, bench: Bench): void {
  if (suite === "none" || bench.findSuite(suite) !== undefined) return;
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `run.on_start: there is no suite named ${JSON.stringify(suite)}`);
}

async function buildState(
  config: AgentConfig,
  logger: Logger,
  bench: Bench,
  readClocks: () => ClockReading,
): Promise<AgentState> {
  const startLink = await loadLink(config);
  const facts = await bench.hostFacts();
  const hardwareClass = bench.hardwareClass(facts);
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const delivery = await startDelivery({
    host: config.host,
    spool: { dir, maxBytes: max_bytes, maxAge: max_age, resendRate: resend_rate },
    flushInterval: flush_interval,
    logger,
    readClocks,
  });
  const clockOffset = createClockOffsetMeter();
  // Commands expire by the collector's clock, as far as this host knows it.
  const nowUs = (): number => readClocks().wallUs - (clockOffset.read()?.offsetMs ?? 0) * 1000;
  const inbox = createCommandInbox({ handlers: commandHandlers, nowUs, logger });
  return {
    config,
    logger,
    bench,
    facts,
    hardwareClass,
    delivery,
    startLink,
    clockOffset,
    inbox,
    gate: createQuietGate(),
    ending: new AbortController(),
  };
}

function attachLink(agent: AgentState, inventoryJson: string): void {
  const { config, hardwareClass, delivery, startLink, clockOffset, inbox, logger } = agent;
  const introduction = { host: config.host, agentVersion: version, hardwareClass, inventoryJson };
  delivery.attach((window, counts) =>
    startLink({
      introduction,
      window,
      counts,
      clockOffset,
      logger,
      onCommand: (command) => answerCommand(inbox, command),
    }),
  );
}

/**
 * Attaches to the collector, then runs the suite on start. It waits for the inventory, whose child process would
 * disturb it.
 */
async function introduce(agent: AgentState): Promise<SuiteRun | undefined> {
  const { config, ending, bench, hardwareClass, delivery, gate, logger } = agent;
  const { signal } = ending;
  const suite = config.run.on_start;
  const inventoryJson = await describeHost(agent);
  if (signal.aborted) return undefined;
  attachLink(agent, inventoryJson);
  if (suite === "none") return undefined;
  const { runSuite } = bench;
  return startSuiteRun({ suite, host: config.host, hardwareClass, signal, runSuite, delivery, gate, logger });
}

async function stopAgent(
  { ending, gate, delivery, logger }: AgentState,
  suiteRun: Promise<SuiteRun | undefined>,
  ticker: Running,
): Promise<{ unacked: number }> {
  ending.abort();
  gate.set(false);
  const recorded = suiteRun.then((run) => run?.recorded);
  await waitAtMost(Promise.all([recorded, ticker.stop()]), patience.interruptedRun);
  const left = await delivery.stop(patience.acknowledgement);
  const kept = left.unacked > 0 ? "what the collector has not acknowledged is kept in the spool, and sent next time" : undefined;
  logger.info({ event: "agent_stopped", unacked: left.unacked }, kept);
  return left;
}

/**
 * Starts the agent: it samples the host, runs the suite on start if one is named, and delivers both to the collector,
 * for as long as it takes the collector to be there.
 * @throws FleetmarkError SUITE_FILE_INVALID, BENCHMARK_UNKNOWN, SPOOL_LOCKED, SPOOL_UNWRITABLE, TLS_UNREADABLE,
 * TLS_INVALID, TLS_EXPIRED
 */
export async function startAgent(
  config: AgentConfig,
  givenLogger?: Logger,
  givenBench?: Bench,
  readClocks: () => ClockReading = readHostClocks,
): Promise<Agent> {
  const { host } = config;
  const logger = givenLogger ?? createLogger(config.log.level);
  const bench = await addOwnSuites(givenBench ?? (await loadBench()), config.suites);
  checkSuite(config.run.on_start, bench);
  const agent = await buildState(config, logger, bench, readClocks);
  const ticker = startTelemetry(agent);
  logger.info({ event: "agent_started", host, version, hardware_class: agent.hardwareClass });
  const suiteRun = introduce(agent);
  const runFinished = suiteRun.then((run) => run?.delivered);
  // A failed run is logged where it fails; whether anyone waits for it is theirs to say.
  runFinished.catch(() => {});
  return { host, runFinished, stop: once(() => stopAgent(agent, suiteRun, ticker)) };
}
