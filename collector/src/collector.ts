import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Address } from "@fleetmark/shared/model/units";
import { version } from "@fleetmark/shared/version";
import { pino } from "pino";
import { readClockUs } from "./clock.js";
import type { CollectorConfig } from "./config.js";
import { createFleet } from "./fleet.js";
import { startHttpServer } from "./http/server.js";
import { startGrpcIngest } from "./ingest/grpc/server.js";
import type { AgentStream } from "./ingest/grpc/stream.js";
import { createIntake } from "./ingest/intake.js";
import { type NatsIngest, startNatsIngest } from "./ingest/nats/ingest.js";
import { openQuarantine, type Quarantine } from "./ingest/quarantine.js";
import { createSeriesGuard } from "./ingest/series-guard.js";
import { createSeriesQuestion } from "./ingest/stored-series.js";
import { createWriter } from "./ingest/writer.js";
import { createMetrics, type Metrics } from "./metrics.js";
import { runNightly } from "./nightly.js";
import { startSelfTelemetry } from "./self-telemetry.js";
import { openConfiguredStore } from "./store/engines/registry.js";
import type { RefuseLine, Store } from "./store/store.js";

/** A running collector. */
export interface Collector {
  /** Where agents attach and where the HTTP API is, with the real ports. */
  readonly grpc: Address;
  readonly http: Address;
  /** Stops taking frames, commits and acknowledges what it has, and closes the store. Takes at most two seconds. */
  close(): Promise<void>;
}

/** How much of a refused line goes into the log. */
const shownLine = 200;

/** What the commit of the queue may take at the end; what is left was never acknowledged, and its agents send it again. */
const flushWithinMs = 1000;

function createLogger(level: CollectorConfig["log"]["level"]): Logger {
  return pino({ level, base: undefined }, pino.destination({ fd: 2, sync: true }));
}

/** Names the collector's own batches: an epoch per start, as agents have. */
function createOwnIds(): () => { epochUs: number; sequence: number } {
  const epochUs = readClockUs();
  let sequence = 0;
  return () => ({ epochUs, sequence: ++sequence });
}

/** Keeps and counts what the store will never take. */
function createLineRefuser(quarantine: Quarantine, metrics: Metrics, logger: Logger): RefuseLine {
  return async (line, reason) => {
    metrics.samplesRefused.inc({ code: "STORE_REFUSED" });
    logger.warn(
      { event: "line_refused", reason, line: line.slice(0, shownLine) },
      "the store refuses a line for good; it is kept in quarantine",
    );
    try {
      await quarantine.keep(Buffer.from(`${line}\n`), "STORE_REFUSED", undefined, readClockUs());
      metrics.quarantineBytes.set(quarantine.size());
    } catch (thrown) {
      metrics.quarantineFailures.inc();
      logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "a refused line could not be kept");
    }
  };
}

/** Rolls up and drops what is past its time; what fails is tried again the next night. */
async function retainStore(store: Store, logger: Logger): Promise<void> {
  try {
    const retained = await store.retain(readClockUs());
    if (retained !== undefined)
      logger.info({ event: "store_retained", ...retained }, "what is past its time was rolled up or dropped");
  } catch (thrown) {
    logger.error({ event: "store_retain_failed", error: errorMessage(thrown) }, "what is past its time could not be rolled up");
  }
}

/** Undoes, newest first, what was started. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closers.toReversed()) await close();
}

/**
 * Starts a collector: the store, then the ingest, then the HTTP API. If one of them fails, those before it are closed again.
 * @param logger takes the events; by default they go to standard error as JSON lines
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, NATS_SECRET_INVALID, DATA_UNWRITABLE, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED,
 *   PORT_TAKEN, LISTEN_FAILED
 */
export async function startCollector(
  config: CollectorConfig,
  logger: Logger = createLogger(config.log.level),
): Promise<Collector> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const metrics = createMetrics();
    const fleet = createFleet(config.limits.max_hosts);
    const quarantine = await openQuarantine(config.data_dir, config.limits.quarantine_bytes);
    const store = await openConfiguredStore(config.store, config.data_dir, createLineRefuser(quarantine, metrics, logger));
    closers.push(store.close);
    const nightly = runNightly(() => retainStore(store, logger));
    closers.push(async () => nightly.close());
    metrics.quarantineBytes.set(quarantine.size());
    const writer = createWriter(store, metrics, logger);
    const shared = { limits: config.limits, fleet, metrics, logger };
    const nextOwnId = createOwnIds();
    const guard = createSeriesGuard(config.limits.new_series_per_host_per_hour, createSeriesQuestion(store, logger));
    const intake = createIntake({ ...shared, writer, quarantine, guard, nextOwnId });
    const selfTelemetry = startSelfTelemetry({
      ...{ name: config.name, usesNats: config.nats.servers.length > 0 },
      ...{ metrics, writer, logger, nextOwnId },
    });
    closers.push(async () => selfTelemetry.stop());
    const streams = { ...shared, intake, streams: new Set<AgentStream>(), attached: new Map<string, AgentStream>() };
    const grpc = await startGrpcIngest(config.grpc, streams, writer.failure);
    let nats: NatsIngest | undefined;
    closers.push(async () => {
      grpc.stopReading();
      nats?.stopReading();
      await writer.stop(flushWithinMs);
      await Promise.all([grpc.close(), nats?.close()]);
    });
    if (config.nats.servers.length > 0) nats = await startNatsIngest(config.nats, { ...shared, intake });
    const findObstacle = (): string | undefined => {
      if (writer.failure() !== undefined) return "the store refuses writes";
      const trouble = nats?.trouble();
      return trouble === undefined ? undefined : `nothing can be taken from NATS (${trouble})`;
    };
    const http = await startHttpServer(config.http.listen, { store, fleet, metrics, logger, findObstacle });
    closers.push(http.stop);
    const listening = { grpc: grpc.address, http: http.address };
    logger.info({ event: "collector_started", version, data_dir: config.data_dir, ...listening }, "the collector started");
    return { ...listening, close: createClose(closers, logger) };
  } catch (thrown) {
    await closeAll(closers);
    throw thrown;
  }
}

/** Closing twice is closing once. */
function createClose(closers: readonly (() => Promise<void>)[], logger: Logger): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= closeAll(closers).then(() => logger.info({ event: "collector_stopped" }, "the collector stopped"));
    return closing;
  };
}
