import { listCertificates, watchCertificates } from "@fleetmark/shared/config/certificate-life";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { createLogger } from "@fleetmark/shared/logger";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { version } from "@fleetmark/shared/version";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { answerCommand, type CommandInbox, createCommandInbox } from "./commands/command-inbox.js";
import { recordAnswer } from "./commands/command-records.js";
import { createCommandHandlers } from "./commands/command-registry.js";
import type { AgentConfig } from "./config.js";
import { type Delivery, startDelivery } from "./delivery/delivery.js";
import type { Link } from "./delivery/link.js";
import { examineRoots, type Roots } from "./host/host-file.js";
import { createGpuUse, type GpuUse } from "./idle/gpu-use.js";
import { watchForWork } from "./idle/idle-signs.js";
import { type HostInquiries, startHostInquiries } from "./inventory/host-inquiries.js";
import { createHostDescription, type HostDescription, introductionToPoint } from "./inventory/introduction.js";
import { type ClockOffsetMeter, createClockOffsetMeter } from "./links/clock-offset.js";
import type { LinkOptions } from "./links/link-options.js";
import { loadLink } from "./links/load-link.js";
import { probes } from "./probes/registry.js";
import { addOwnSuites, type Bench, loadBench } from "./runs/bench.js";
import { type Outlook, startOutlook } from "./runs/outlook.js";
import { createQuietGate, type QuietGate } from "./runs/quiet-gate.js";
import { openRunBook, type RunBook } from "./runs/run-book.js";
import { type RunQueue, startRunQueue } from "./runs/run-queue.js";
import type { RunRequest } from "./runs/run-request.js";
import { type Scheduler, startScheduler } from "./runs/scheduler.js";
import { recordSkipped } from "./runs/skipped-runs.js";
import type { RunOutcome } from "./runs/suite-run.js";
import { createSelfTelemetry } from "./self-telemetry.js";
import { startTelemetry } from "./telemetry/telemetry.js";
import { type ClockReading, readHostClocks } from "./time/clock.js";
import { startTicker } from "./time/ticker.js";

/**
 * Seconds. The Hello waits for the host's facts for a moment, which is enough where no tool hangs; a run waits longer,
 * for its results carry the hardware class. The last two are shares of the two seconds in which the agent must stop.
 */
const patience = {
  factsBeforeHello: 0.25,
  factsBeforeRun: 10,
  interruptedRun: 0.8,
  acknowledgement: 0.9,
} as const;

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
  readonly description: HostDescription;
  readonly delivery: Delivery;
  readonly startLink: (options: LinkOptions) => Link;
  readonly clockOffset: ClockOffsetMeter;
  readonly gate: QuietGate;
  readonly roots: Roots;
  readonly gpuUse: GpuUse;
  readonly readClocks: () => ClockReading;
  readonly ending: AbortController;
  /** Whether a Hello may have been said. */
  isAttached: boolean;
}

function startProbes({ config, delivery, gate, roots, gpuUse, logger }: AgentState): Running {
  const { interval, intervals, probes: names } = config.telemetry;
  return startTelemetry({
    probes: probes.filter((probe) => names.includes(probe.name)),
    roots,
    logger,
    chooseInterval: (name) => intervals[name] ?? interval,
    pass: gate.pass,
    stamp: () => delivery.clock.stamp(),
    record: (points) => {
      gpuUse.note(points);
      delivery.record(points);
    },
  });
}

function startSelfTelemetry(
  { config, delivery, clockOffset, gate, ending, logger }: AgentState,
  { findLateness }: Scheduler,
): Running {
  const { interval } = config.telemetry;
  const own = {
    [config.link === "nats" ? "nats.tls" : "collector.tls"]: config.link === "nats" ? config.nats.tls : config.collector.tls,
  };
  const certificates = watchCertificates(listCertificates(own), logger);
  ending.signal.addEventListener("abort", () => void certificates.stop(), { once: true });
  const sample = createSelfTelemetry(delivery, clockOffset, certificates.daysLeft, findLateness);
  return startTicker(interval, async () => {
    await gate.pass(interval);
    if (!ending.signal.aborted) delivery.record(sample(delivery.clock.stamp()));
  });
}

/** Tells collectors by a point what was found out after a Hello. */
function tellNews({ description, isAttached, delivery, clockOffset, logger }: AgentState): void {
  if (!isAttached) return;
  const { introduction } = description;
  // Collectors stamp a Hello by their own clock, and this is to come after it.
  const behindUs = Math.max(0, Math.round((clockOffset.read()?.offsetMs ?? 0) * 1000));
  delivery.record([introductionToPoint(introduction, delivery.clock.stamp() + behindUs)]);
  logger.info({ event: "inventory_told", hardware_class: introduction.hardwareClass });
}

function startInquiries(agent: AgentState): HostInquiries {
  const { description, bench, gate, logger, config } = agent;
  const stateFolder = config.spool.dir;
  return startHostInquiries({ description, bench, stateFolder, gate, logger, onNews: () => tellNews(agent) });
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN */
function checkSuites({ run }: AgentConfig, bench: Bench): void {
  const named = [
    ...(run.on_start === "none" ? [] : [{ key: "run.on_start", suite: run.on_start }]),
    ...run.schedule.map(({ suite }, i) => ({ key: `run.schedule.${i}.suite`, suite })),
  ];
  const unknown = named.find(({ suite }) => bench.findSuite(suite) === undefined);
  if (unknown === undefined) return;
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `${unknown.key}: there is no suite named ${JSON.stringify(unknown.suite)}`);
}

async function buildState(
  config: AgentConfig,
  logger: Logger,
  bench: Bench,
  readClocks: () => ClockReading,
): Promise<AgentState> {
  const startLink = await loadLink(config);
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const delivery = await startDelivery({
    host: config.host,
    hasIdentity: true,
    spool: { dir, maxBytes: max_bytes, maxAge: max_age, resendRate: resend_rate },
    flushInterval: flush_interval,
    logger,
    readClocks,
  });
  return {
    config,
    logger,
    bench,
    description: createHostDescription(config.host, delivery.identity),
    delivery,
    startLink,
    clockOffset: createClockOffsetMeter(),
    gate: createQuietGate(),
    roots: examineRoots({ proc: "/proc", sys: "/sys" }),
    gpuUse: createGpuUse(),
    readClocks,
    ending: new AbortController(),
    isAttached: false,
  };
}

/** Takes up what collectors ask of this host. Commands expire by their clock, as far as this host knows it. */
function openInbox(agent: AgentState, book: RunBook, queue: RunQueue, { takeInventory }: HostInquiries): CommandInbox {
  const { config, bench, clockOffset, delivery, readClocks, logger } = agent;
  const { allow, suites, at_once } = config.commands;
  const parts = {
    queue,
    bench,
    allowed: { suites, atOnce: at_once },
    takeInventory,
    nowMs: () => readClocks().wallUs / 1000,
    logger,
  };
  return createCommandInbox({
    handlers: createCommandHandlers(parts, allow),
    book,
    nowUs: () => readClocks().wallUs - (clockOffset.read()?.offsetMs ?? 0) * 1000,
    onAnswered: (command, answer) => recordAnswer({ host: config.host, delivery }, command, answer),
    logger,
  });
}

function attachLink(agent: AgentState, inbox: CommandInbox): void {
  const { description, delivery, startLink, clockOffset, logger } = agent;
  const { introduction } = description;
  agent.isAttached = true;
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

/** The runs of an agent: what waits and is under way, and what makes more of them. */
interface Runs {
  readonly queue: RunQueue;
  readonly scheduler: Scheduler;
  readonly outlook: Outlook;
  readonly onStart: Promise<RunOutcome | undefined>;
}

/** Seconds for which a run on start, which waits for nothing, may wait for what a process before left. */
const startPatienceS = 86_400;

/** Starts what runs suites. Results carry the hardware class, so a run waits for that a while. */
function startRuns(agent: AgentState, book: RunBook, factsKnown: Promise<void>, onActive: (isActive: boolean) => void): Runs {
  const { config, ending, bench, description, delivery, gate, logger, readClocks } = agent;
  const { host, run } = config;
  const nowMs = (): number => readClocks().wallUs / 1000;
  const stopped = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve(), { once: true }));
  const findHardwareClass = (): string => description.introduction.hardwareClass;
  const queue = startRunQueue({
    host,
    findHardwareClass,
    findEvery: (suite) => scheduler.findEvery(suite),
    ready: waitAtMost(Promise.race([factsKnown, stopped]), patience.factsBeforeRun),
    bench,
    book,
    idle: watchForWork({ bounds: run.idle, blackouts: run.blackouts, roots: agent.roots, gpuUse: agent.gpuUse, nowMs }),
    settleS: run.idle.settle,
    longestRunS: run.at_most,
    delivery: { ...delivery, report: (progress) => outlook.reportProgress(progress) },
    gate,
    nowMs,
    onActive,
    logger,
  });
  const onStart = run.on_start === "none" ? Promise.resolve(undefined) : queue.add(askOnStart(run.on_start, nowMs()));
  // A failed run is logged where it fails; whether anyone waits for it is theirs to say.
  onStart.catch(() => {});
  const scheduler = startScheduler({
    host,
    schedules: run.schedule,
    book,
    patienceS: run.idle.patience,
    nowMs,
    listRuns: () => {
      const { current, waiting } = queue.read();
      return current === undefined ? waiting : [current, ...waiting];
    },
    add: (request) => void queue.add(request).catch(() => {}),
    recordSkipped: (...skipped) => recordSkipped({ host, findHardwareClass, delivery, logger }, ...skipped),
    logger,
  });
  const outlook = startOutlook({
    report: (told) => delivery.report(told),
    readOutlook: () => {
      const next = scheduler.findNext();
      const waits_for = queue.read().waitsFor ?? "";
      return { next_run_us: next?.timeUs ?? 0, next_suite: next?.suite ?? "", waits_for };
    },
  });
  return { queue, scheduler, outlook, onStart };
}

/** The run on start begins at once: whoever names it has asked for it. */
function askOnStart(suite: string, nowMs: number): RunRequest {
  const dueUs = Math.round(nowMs * 1000);
  const expiresUs = dueUs + startPatienceS * 1e6;
  return { run: createRunId(nowMs), suite, trigger: "start", due_us: dueUs, expires_us: expiresUs, needs_idle: false };
}

async function stopAgent(
  { ending, gate, delivery, logger }: AgentState,
  running: readonly Running[],
): Promise<{ unacked: number }> {
  ending.abort();
  gate.set(false);
  await waitAtMost(Promise.all(running.map((each) => each.stop())), patience.interruptedRun);
  const left = await delivery.stop(patience.acknowledgement);
  const kept = left.unacked > 0 ? "what the collector has not acknowledged is kept in the spool, and sent next time" : undefined;
  logger.info({ event: "agent_stopped", unacked: left.unacked }, kept);
  return left;
}

export interface AgentOptions {
  readonly logger?: Logger;
  readonly bench?: Bench;
  readonly readClocks?: () => ClockReading;
  /** Told when a run begins and when none is under way any more. */
  readonly onActive?: (isActive: boolean) => void;
}

/**
 * Starts the agent: it samples the host, runs suites on start and by schedule, and delivers both to the collector,
 * for as long as it takes the collector to be there.
 * @throws FleetmarkError SUITE_FILE_INVALID, BENCHMARK_UNKNOWN, SPOOL_LOCKED, SPOOL_UNWRITABLE, TLS_UNREADABLE,
 * TLS_INVALID, TLS_EXPIRED
 */
export async function startAgent(config: AgentConfig, options: AgentOptions = {}): Promise<Agent> {
  const { host } = config;
  const { readClocks = readHostClocks, onActive = () => {} } = options;
  const logger = options.logger ?? createLogger({ service: "agent", host: config.host, ...config.log });
  const bench = await addOwnSuites(options.bench ?? (await loadBench()), config.suites);
  checkSuites(config, bench);
  const agent = await buildState(config, logger, bench, readClocks);
  const book = await openRunBook(config.spool.dir, logger);
  const inquiries = startInquiries(agent);
  const { factsKnown } = inquiries;
  const { queue, scheduler, outlook, onStart } = startRuns(agent, book, factsKnown, onActive);
  const running = [startProbes(agent), startSelfTelemetry(agent, scheduler), inquiries, outlook, scheduler, queue];
  await waitAtMost(factsKnown, patience.factsBeforeHello);
  attachLink(agent, openInbox(agent, book, queue, inquiries));
  logger.info({ event: "agent_started", host, version, hardware_class: agent.description.introduction.hardwareClass });
  return { host, runFinished: onStart, stop: once(() => stopAgent(agent, running)) };
}
