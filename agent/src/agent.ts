import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { version } from "@fleetmark/shared/version";
import { destination, pino } from "pino";
import type { AgentConfig } from "./config.js";
import { createDelivery, type Delivery } from "./delivery/delivery.js";
import { type ClockOffsetMeter, createClockOffsetMeter } from "./links/clock-offset.js";
import { loadLink } from "./links/load-link.js";
import { readInventory } from "./probes/inventory.js";
import { probes } from "./probes/registry.js";
import { createTelemetry } from "./probes/telemetry.js";
import type { Bench } from "./runs/bench.js";
import { createQuietGate, type QuietGate } from "./runs/quiet-gate.js";
import { type RunOutcome, type SuiteRun, startSuiteRun } from "./runs/suite-run.js";
import { createSelfTelemetry } from "./self-telemetry.js";
import { type ClockReading, readHostClocks } from "./time/clock.js";
import { startTicker, type Ticker } from "./time/ticker.js";
import { waitAtMost } from "./wait-at-most.js";

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
  close(): Promise<{ unacked: number }>;
}

interface TelemetryParts {
  readonly delivery: Delivery;
  readonly clockOffset: ClockOffsetMeter;
  readonly gate: QuietGate;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

function startTelemetry(config: AgentConfig, { delivery, clockOffset, gate, logger, signal }: TelemetryParts): Ticker {
  const { interval, probes: names } = config.telemetry;
  const chosen = probes.filter((probe) => names.includes(probe.name));
  const sampleHost = createTelemetry(chosen, roots, logger);
  const sampleSelf = createSelfTelemetry(delivery, clockOffset);
  return startTicker(interval, async () => {
    await gate.pass(interval);
    if (signal.aborted) return;
    const nowUs = delivery.clock.stamp();
    const points = await sampleHost(nowUs);
    delivery.record([...points, ...sampleSelf(nowUs)]);
  });
}

/** Returns what the host is made of as JSON. What cannot be found out is left out and logged. */
async function describeHost(facts: object, signal: AbortSignal, logger: Logger): Promise<string> {
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

/** Loaded when the agent starts, not with this module: who only reads the configuration's schema does without. */
async function loadBench(): Promise<Bench> {
  return import("@fleetmark/bench");
}

/**
 * Starts the agent: it samples the host, runs the suite on start if one is named, and delivers both to the collector, for as
 * long as it takes the collector to be there.
 * @throws FleetmarkError BENCHMARK_UNKNOWN, SPOOL_LOCKED, SPOOL_UNWRITABLE, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function startAgent(
  config: AgentConfig,
  givenLogger?: Logger,
  givenBench?: Bench,
  readClocks: () => ClockReading = readHostClocks,
): Promise<Agent> {
  const { host } = config;
  const suite = config.run.on_start;
  const logger = givenLogger ?? createLogger(config.log.level);
  const bench = givenBench ?? (await loadBench());
  if (suite !== "none" && bench.findSuite(suite) === undefined) {
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `run.on_start: there is no suite named ${JSON.stringify(suite)}`);
  }
  const openLink = await loadLink(config);
  const facts = await bench.hostFacts();
  const hardwareClass = bench.hardwareClass(facts);

  const ending = new AbortController();
  const { signal } = ending;
  const gate = createQuietGate();
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const delivery = await createDelivery({
    host,
    spool: { dir, maxBytes: max_bytes, maxAge: max_age, resendRate: resend_rate },
    flushInterval: flush_interval,
    logger,
    readClocks,
  });
  const clockOffset = createClockOffsetMeter();
  const ticker = startTelemetry(config, { delivery, clockOffset, gate, logger, signal });
  logger.info({ event: "agent_started", host, version, hardware_class: hardwareClass });

  // The suite waits for the inventory, whose child process would disturb it.
  const introduce = async (): Promise<SuiteRun | undefined> => {
    const inventoryJson = await describeHost(facts, signal, logger);
    if (signal.aborted) return undefined;
    const introduction = { host, agentVersion: version, hardwareClass, inventoryJson };
    delivery.open((sender, counts) => openLink({ introduction, sender, counts, clockOffset, logger }));
    if (suite === "none") return undefined;
    return startSuiteRun({ suite, host, hardwareClass, signal, runSuite: bench.runSuite, delivery, gate, logger });
  };
  const suiteRun = introduce();
  const runFinished = suiteRun.then((run) => run?.delivered);
  // A failed run is logged where it fails; whether anyone waits for it is theirs to say.
  runFinished.catch(() => {});

  const stop = async (): Promise<{ unacked: number }> => {
    ending.abort();
    gate.set(false);
    const recorded = suiteRun.then((run) => run?.recorded);
    await waitAtMost(Promise.all([recorded, ticker.stop()]), patience.interruptedRun);
    const left = await delivery.close(patience.acknowledgement);
    const kept =
      left.unacked > 0 ? "what the collector has not acknowledged is kept in the spool, and sent next time" : undefined;
    logger.info({ event: "agent_stopped", unacked: left.unacked }, kept);
    return left;
  };
  let stopped: Promise<{ unacked: number }> | undefined;
  return {
    host,
    runFinished,
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}
