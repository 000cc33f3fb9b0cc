import { listCertificates, watchCertificates } from "@fleetmark/shared/config/certificate-life";
import type { CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { once, type Running, undoAll } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { createLogger } from "@fleetmark/shared/logger";
import { type Address, isLoopback } from "@fleetmark/shared/model/units";
import { auditRecord } from "@fleetmark/shared/records/audit";
import { commandRecord } from "@fleetmark/shared/records/command";
import { selectRecords } from "@fleetmark/shared/records/record-kind";
import { version } from "@fleetmark/shared/version";
import { type Gatekeeper, openGate } from "./access/gatekeeper.js";
import { type Alerting, startAlerting } from "./alerts/alerting.js";
import { openSinks } from "./alerts/sinks/open-sinks.js";
import type { CollectorConfig } from "./config.js";
import { startAdoption } from "./control/adoption.js";
import { type Campaigns, startCampaigns } from "./control/campaigns.js";
import type { CommandOutcome, CommandRequest } from "./control/command.js";
import { createCommandRecords } from "./control/command-records.js";
import { type Commands, createCommands, noteRecords, receiveResult, sendCommand, stopCommands } from "./control/commands.js";
import { createFiringAlerts } from "./control/firing-alerts.js";
import { startStandingCampaigns } from "./control/standing-campaigns.js";
import { type ClockWatch, startClockWatch } from "./fleet/clock-watch.js";
import { createFleet } from "./fleet/fleet.js";
import { type KeptHolders, openNameHolders } from "./fleet/name-holder-file.js";
import { createNameKeeper } from "./fleet/name-keeper.js";
import { createPresence, type Presence } from "./fleet/presence.js";
import { type HttpOptions, startHttpServer, startProbeServer } from "./http/server.js";
import { type GrpcIngest, startGrpcIngest } from "./ingest/grpc/server.js";
import { createIntake, type Intake, type Source } from "./ingest/intake.js";
import { type NatsIngest, startNatsIngest } from "./ingest/nats/ingest.js";
import { openQuarantine, type Quarantine } from "./ingest/quarantine/quarantine.js";
import { createLineRefuser } from "./ingest/quarantine/refused-lines.js";
import { startReplay } from "./ingest/replay.js";
import { createSeriesGuard } from "./ingest/series-guard.js";
import { createSeriesQuestion } from "./ingest/stored-series.js";
import { type CommitListener, createWriter, type Writer } from "./ingest/writer.js";
import { type Baselines, createBaselines } from "./judge/baselines.js";
import { startJudge } from "./judge/judge.js";
import { type UnmatchedKpis, watchUnmatchedKpis } from "./judge/unmatched-kpis.js";
import { readClockUs } from "./platform/clock.js";
import { type RecordOptions, recordOwn } from "./records/own-records.js";
import { openConfiguredStore } from "./store/engines/registry.js";
import type { NightlyRetention } from "./store/nightly-retention.js";
import type { Store } from "./store/store.js";
import { createMetrics, type Metrics } from "./telemetry/metrics.js";
import { startSelfTelemetry } from "./telemetry/self-telemetry.js";
import { startUpkeep } from "./upkeep.js";

/**
 * A running collector. Stopped, it takes no more frames, commits and acknowledges what it has, and closes the store;
 * that takes at most two seconds.
 */
export interface Collector extends Running {
  /** Where agents attach and where the HTTP API is, with the real ports. */
  readonly grpc: Address;
  readonly http: Address;
  /** Where health and metrics are besides, if they are. */
  readonly probes: Address | undefined;
  readonly commands: {
    /** Sends a command to a host and waits for its result; see sendCommand for what it throws. */
    send(host: string, request: CommandRequest): Promise<CommandOutcome>;
  };
}

/**
 * What the commit of the queue may take at the end; what is left was never acknowledged, and its agents send it again.
 */
const flushWithinMs = 1000;

/** What undoes a step that was done. */
type Undoing = () => Promise<unknown>;

/** What every part works with. */
interface Base {
  readonly config: CollectorConfig;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Grows with each step. */
  readonly undoings: Undoing[];
}

/** What a collector keeps on disk or in a database. */
interface Storage {
  readonly quarantine: Quarantine;
  readonly store: Store;
  readonly kept: KeptHolders;
}

/** The way from a link to the store, and back to the agents. */
interface Core {
  readonly presence: Presence;
  readonly commands: Commands;
  readonly campaigns: Campaigns;
  readonly baselines: Baselines;
  /** Who hears of what was committed. */
  readonly heard: CommitListener[];
  /** Writes records of the collector's own. */
  readonly records: RecordOptions;
  readonly writer: Writer;
  readonly intake: Intake;
  readonly clock: ClockWatch;
  /** What tells of alerts, once it has begun: campaigns wait for it. */
  readonly told: { alerting: Alerting | undefined };
}

interface Links {
  readonly grpc: GrpcIngest;
  readonly nats: NatsIngest | undefined;
}

/** Names the collector's own batches: an epoch per start, as agents have. */
function createOwnIds(): () => { epochUs: number; sequence: number } {
  const epochUs = readClockUs();
  let sequence = 0;
  return () => ({ epochUs, sequence: ++sequence });
}

async function openStorage({ config, metrics, logger, undoings }: Base): Promise<Storage> {
  const quarantine = await openQuarantine(config.data_dir, config.limits.quarantine_bytes);
  metrics.quarantineBytes.set(quarantine.size());
  const refuseLine = createLineRefuser(quarantine, metrics, logger);
  const store = await openConfiguredStore(config.store, config.data_dir, refuseLine);
  undoings.push(store.close);
  const kept = await openNameHolders(config.data_dir, logger);
  undoings.push(kept.stop);
  return { quarantine, store, kept };
}

/** Shows how long the collector's own certificates last. */
function startCertificateWatch({ grpc, nats, http }: CollectorConfig, metrics: Metrics, logger: Logger): Running {
  const own = listCertificates({ "grpc.tls": grpc.tls, "nats.tls": nats.tls, "http.tls": http.tls });
  const watch = watchCertificates(own, logger);
  const show = (): void => metrics.certificateDays.set(watch.daysLeft() ?? 0);
  show();
  const timer = setInterval(show, 60_000);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await watch.stop();
    },
  };
}

function createCore({ config, metrics, logger, undoings }: Base, { quarantine, store, kept }: Storage): Core {
  const { limits, name, nats } = config;
  const fleet = createFleet(limits.max_hosts);
  const presence = createPresence({ fleet, metrics, logger, maxBatchBytes: limits.max_batch_bytes });
  const heard: CommitListener[] = [];
  const writer = createWriter(store, metrics, logger, (committed) => {
    for (const hear of heard) hear(committed);
  });
  const seriesBounds = { newPerHour: limits.new_series_per_host_per_hour, perHost: limits.max_series_per_host };
  const guard = createSeriesGuard(seriesBounds, createSeriesQuestion(store, logger));
  const nextOwnId = createOwnIds();
  const records = { name, writer, store, nextOwnId };
  const told: Core["told"] = { alerting: undefined };
  const readFiring = () => told.alerting?.firingNames();
  const { commands, campaigns } = startControl({ config, metrics, logger, undoings }, records, presence, readFiring);
  heard.push((committed) => noteRecords(commands, selectRecords(committed, commandRecord)), campaigns.note);
  undoings.push(startCertificateWatch(config, metrics, logger).stop);
  const clock = startClockWatch({ fleet, metrics, logger });
  undoings.push(clock.stop);
  const shared = { metrics, logger, nextOwnId };
  const nameKeeper = createNameKeeper({ kept, metrics, logger });
  const intake = createIntake({
    limits,
    fleet,
    writer,
    quarantine,
    guard,
    nameKeeper,
    judgeClock: clock.judge,
    kpis: config.kpis,
    ...shared,
  });
  undoings.push(startReplay({ dataDir: config.data_dir, intake, quarantine, metrics, logger }).stop);
  const usesNats = nats.servers.length > 0;
  const readUs = clock.readTrustedUs;
  undoings.push(startSelfTelemetry({ name, usesNats, readUs, enqueue: writer.enqueue, ...shared }).stop);
  const baselines = createBaselines({ records, store });
  return { presence, commands, campaigns, baselines, heard, records, writer, intake, clock, told };
}

/** Starts what asks hosts to do something, and goes on with what was asked before. */
function startControl(
  { config, metrics, logger, undoings }: Base,
  options: RecordOptions & { readonly store: Store },
  presence: Presence,
  readFiring: () => readonly string[] | undefined,
): Pick<Core, "commands" | "campaigns"> {
  const records = createCommandRecords(options);
  const commands = createCommands({ presence, records, metrics, logger });
  const alerts = createFiringAlerts(config.alerts, logger, readFiring);
  const campaigns = startCampaigns({ ...options, commands, alerts, logger });
  undoings.push(campaigns.stop);
  const nowMs = (): number => readClockUs() / 1000;
  undoings.push(startStandingCampaigns({ standing: config.campaigns, campaigns, nowMs, logger }).stop);
  // One process has a data file; a server may have many collectors.
  const isShared = config.store.kind !== "duckdb";
  undoings.push(startAdoption({ commands, records, campaigns, isShared, logger }).stop);
  return { commands, campaigns };
}

/** Keeps who changed something. What can't be stored is in the log. */
function keepAudit({ config, logger }: Base, records: RecordOptions): HttpOptions["audit"] {
  return (change) => {
    const { by, action, outcome, status } = change;
    logger.info({ event: "http_changed", by, action, outcome, status });
    const record = { ...change, collector: config.name, time_us: readClockUs() };
    recordOwn(records, auditRecord, record).catch(() => {});
  };
}

/**
 * Starts the links. They stop together: what was taken in is committed and acknowledged after the last frame was read,
 * before they end.
 */
async function startLinks({ config, metrics, logger, undoings }: Base, core: Core): Promise<Links> {
  const { presence, commands, writer, intake } = core;
  const shared = {
    limits: config.limits,
    intake,
    presence,
    receiveResult: ({ host, link }: Source, result: CommandResult) => receiveResult(commands, host, link, result),
    metrics,
    logger,
  };
  const grpc = await startGrpcIngest({ config: config.grpc, findFailure: writer.failure, ...shared });
  let nats: NatsIngest | undefined;
  undoings.push(async () => {
    stopCommands(commands);
    grpc.stopReading();
    nats?.stopReading();
    await writer.stop(flushWithinMs);
    await Promise.all([grpc.stop(), nats?.stop()]);
  });
  if (config.nats.servers.length > 0) nats = await startNatsIngest({ config: config.nats, ...shared });
  return { grpc, nats };
}

/** Begins to judge what is committed. It ends before the links do, by whose writer its verdicts are committed. */
function startJudging({ config, metrics, logger, undoings }: Base, { store }: Storage, { records, heard }: Core): UnmatchedKpis {
  const { false_alarms_per_year: falseAlarmsPerYear } = config.judge;
  const judge = startJudge({ records, store, metrics, logger, falseAlarmsPerYear });
  heard.push(judge.hear);
  const unmatched = watchUnmatchedKpis({ catalogue: config.kpis, store, logger });
  undoings.push(judge.stop, unmatched.stop);
  return unmatched;
}

/** Begins to watch, and to tell people of what is not as it should be. */
function startTelling({ config, logger, undoings }: Base, { store }: Storage, core: Core): Alerting {
  const { records, heard, presence, commands, told } = core;
  const { sinks, every: everyS, wait, update, repeat, ignore, runbooks, confirm } = config.alerts;
  const alerting = startAlerting({
    records,
    store,
    fleet: presence.fleet,
    kpis: config.kpis,
    sinks: openSinks(sinks, { runbooks }, logger),
    everyS,
    pace: { waitS: wait, updateS: update, repeatS: repeat },
    ignore,
    isShared: config.store.kind !== "duckdb",
    send: confirm ? (host, request) => sendCommand(commands, host, request) : undefined,
    logger,
  });
  heard.push(alerting.hear);
  undoings.push(alerting.stop);
  told.alerting = alerting;
  return alerting;
}

/** Says what keeps the collector from its work at the moment, in words that strangers may read. */
function findObstacle({ writer }: Core, { nats }: Links): string | undefined {
  if (writer.failure() !== undefined) return "the store refuses writes";
  const code = nats?.findObstacle();
  return code === undefined ? undefined : `nothing can be taken from NATS (${code})`;
}

/** Says what is not as it should be while the collector works all the same. */
function findTroubles({ store }: Storage, { clock }: Core, retention: NightlyRetention, unmatched: UnmatchedKpis): string[] {
  const held = retention.heldBecause();
  const damaged = store.listDamage().reduce((sum, { rows }) => sum + rows, 0);
  const troubles = [
    clock.findDispute(),
    store.findTrouble(),
    unmatched.find(),
    held === undefined ? undefined : `nothing is rolled up or dropped: ${held}`,
    damaged === 0
      ? undefined
      : `${damaged} rows of the data file could not be read and are missing; damage.json beside it says which`,
  ];
  return troubles.filter((each) => each !== undefined);
}

/** Starts the parts, each after those that it needs. */
async function startParts(base: Base): Promise<Pick<Collector, "grpc" | "http" | "probes" | "commands">> {
  const { config, metrics, logger, undoings } = base;
  const storage = await openStorage(base);
  const core = createCore(base, storage);
  const links = await startLinks(base, core);
  const unmatched = startJudging(base, storage, core);
  const alerting = startTelling(base, storage, core);
  const retention = startUpkeep(base, storage.store, core.clock);
  const shared = {
    metrics,
    logger,
    findObstacle: () => findObstacle(core, links),
    findTroubles: () => findTroubles(storage, core, retention, unmatched),
  };
  // Who reaches a loopback address has an account here, or a tunnel that someone with one made.
  const isOpenToReaders = isLoopback(config.http.listen);
  const gate: Gatekeeper = await openGate({ dataDir: config.data_dir, isOpenToReaders, logger });
  undoings.push(gate.stop);
  const http = await startHttpServer(config.http.listen, {
    store: storage.store,
    fleet: core.presence.fleet,
    kpis: config.kpis,
    allowedHosts: config.http.allowed_hosts,
    tls: config.http.tls,
    identify: ({ headers }, needed) => gate.identify(headers.authorization, needed),
    audit: keepAudit(base, core.records),
    control: { commands: core.commands, campaigns: core.campaigns },
    deciding: { baselines: core.baselines, records: core.records },
    alerting,
    ...shared,
  });
  undoings.push(http.stop);
  const probes = config.http.probes.listen;
  const probeServer = probes === undefined ? undefined : await startProbeServer(probes, shared);
  if (probeServer !== undefined) undoings.push(probeServer.stop);
  const send = (host: string, request: CommandRequest): Promise<CommandOutcome> => sendCommand(core.commands, host, request);
  return { grpc: links.grpc.address, http: http.address, probes: probeServer?.address, commands: { send } };
}

/**
 * Starts a collector: the store, then the ingest, then the HTTP API. If one of them fails, those before it are stopped
 * again.
 * @param logger takes the events; by default they go to standard error
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, NATS_SECRET_INVALID, DATA_UNWRITABLE, DATA_LOCKED,
 *   DATA_NEWER, DATA_CORRUPT, STORE_FAILED, PORT_TAKEN, LISTEN_FAILED
 */
export async function startCollector(
  config: CollectorConfig,
  logger: Logger = createLogger({ service: "collector", host: config.name, ...config.log }),
): Promise<Collector> {
  const undoings: Undoing[] = [];
  try {
    const parts = await startParts({ config, metrics: createMetrics(), logger, undoings });
    const { grpc, http, probes } = parts;
    logger.info({ event: "collector_started", version, data_dir: config.data_dir, grpc, http, probes }, "the collector started");
    const stop = once(async () => {
      await undoAll(undoings);
      logger.info({ event: "collector_stopped" }, "the collector stopped");
    });
    return { ...parts, stop };
  } catch (thrown) {
    await undoAll(undoings);
    throw thrown;
  }
}
