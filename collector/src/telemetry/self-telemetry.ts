import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { type Batch, BatchBuilder, type BatchId } from "@fleetmark/shared/model/batch";
import type { Point } from "@fleetmark/shared/model/series";
import { readClockUs } from "../platform/clock.js";
import type { Metrics } from "./metrics.js";

const intervalMs = 10_000;
/**
 * Samples of itself that a collector keeps while the store takes nothing: five minutes. Their counters go on counting
 * all the same.
 */
const mostWaiting = 30;
/** What such a batch weighs in the writer's queue. */
const encodedBytes = 1024;

interface Counted {
  get(): Promise<{
    readonly values: readonly { readonly value: number; readonly labels: Partial<Record<string, string | number>> }[];
  }>;
}

async function readTotal(counter: Counted): Promise<number> {
  return (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);
}

/** One point for each error code, as a tag `reason`. */
async function readByReason(counter: Counted, field: string, host: string, timeUs: number): Promise<Point[]> {
  return (await counter.get()).values.map(({ value, labels }) => {
    return { measurement: "collector", tags: { host, reason: String(labels.code) }, timeUs, fields: { [field]: value } };
  });
}

/** Names quantiles of what was observed since the sample before; nothing where nothing was. */
function nameQuantiles(name: string, unit: "ms" | "s", read: Metrics["commitSeconds"]["readWindow"]): Record<string, number> {
  const found = read([0.5, 0.99]);
  const scale = unit === "ms" ? 1e3 : 1;
  return found === undefined ? {} : { [`${name}_p50_${unit}`]: found[0] * scale, [`${name}_p99_${unit}`]: found[1] * scale };
}

async function readNats(metrics: Metrics): Promise<Record<string, number>> {
  return {
    nats_pending: await readTotal(metrics.natsPending),
    nats_ack_pending: await readTotal(metrics.natsAckPending),
    nats_redelivered: await readTotal(metrics.natsRedelivered),
  };
}

/** Nothing where the collector has no certificate. */
async function readCertificateLife({ certificateDays }: Metrics): Promise<Record<string, number>> {
  const days = await readTotal(certificateDays);
  return days === 0 ? {} : { certificate_days: days };
}

/** Creates a meter of the processor time that this process took: percent of one core since the reading before. */
function createCpuMeter(): (nowUs: number) => number {
  let cpuBefore = process.cpuUsage();
  let before = readClockUs();
  return (nowUs) => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const elapsed = nowUs - before;
    cpuBefore = process.cpuUsage();
    before = nowUs;
    return elapsed > 0 ? (100 * (user + system)) / elapsed : 0;
  };
}

/**
 * Creates the sampler of the collector's own state: counts since it began, and what was between two samples.
 * @param usesNats whether what is known of NATS belongs to it
 */
export function createSelfTelemetry(name: string, metrics: Metrics, usesNats: boolean): (nowUs: number) => Promise<Point[]> {
  const readCpu = createCpuMeter();
  return async (timeUs) => {
    const fields = {
      samples_committed: await readTotal(metrics.samplesCommitted),
      batches_committed: await readTotal(metrics.batchesCommitted),
      batches_repeated: await readTotal(metrics.batchesRepeated),
      queue_batches: await readTotal(metrics.queueBatches),
      queue_bytes: await readTotal(metrics.queueBytes),
      agents_attached: await readTotal(metrics.agentsAttached),
      store_failures: await readTotal(metrics.storeFailures),
      ...nameQuantiles("commit", "ms", metrics.commitSeconds.readWindow),
      ...nameQuantiles("end_to_end", "s", metrics.endToEndSeconds.readWindow),
      quarantine_bytes: await readTotal(metrics.quarantineBytes),
      ...(await readCertificateLife(metrics)),
      store_damaged_rows: await readTotal(metrics.damagedRows),
      handshakes_failed: await readTotal(metrics.handshakesFailed),
      hosts_throttled: await readTotal(metrics.hostsThrottled),
      host_name_conflicts: await readTotal(metrics.hostNameConflicts),
      batches_deferred: await readTotal(metrics.batchesDeferred),
      clock_disputed: await readTotal(metrics.clockDisputed),
      clock_offset_s: await readTotal(metrics.clockOffsetSeconds),
      retention_held: await readTotal(metrics.retentionHeld),
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: readCpu(timeUs),
      ...(usesNats ? await readNats(metrics) : {}),
    };
    return [
      { measurement: "collector", tags: { host: name }, timeUs, fields },
      ...(await readByReason(metrics.samplesRefused, "samples_refused", name, timeUs)),
      ...(await readByReason(metrics.batchesRejected, "batches_rejected", name, timeUs)),
    ];
  };
}

function buildBatch(points: readonly Point[], id: Omit<BatchId, "host">): Batch {
  const builder = new BatchBuilder();
  for (const point of points) builder.add(point);
  return builder.build({ host: "", ...id });
}

export interface SelfTelemetryOptions {
  readonly name: string;
  readonly usesNats: boolean;
  /** The time of samples, microseconds since the Unix epoch. */
  readonly readUs: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly nextOwnId: () => Omit<BatchId, "host">;
  /** Queues a batch for the store; `onCommitted` is called once it is durable. */
  readonly enqueue: (batch: Batch, encodedBytes: number, onCommitted: () => void) => void;
}

/** Starts to store the collector's own state, as batches of its own. */
export function startSelfTelemetry(options: SelfTelemetryOptions): Running {
  const { name, usesNats, readUs, metrics, logger, nextOwnId, enqueue } = options;
  const sample = createSelfTelemetry(name, metrics, usesNats);
  let waiting = 0;
  const store = async (): Promise<void> => {
    if (waiting >= mostWaiting) return;
    waiting++;
    try {
      enqueue(buildBatch(await sample(readUs()), nextOwnId()), encodedBytes, () => waiting--);
    } catch (thrown) {
      waiting--;
      logger.error({ event: "self_telemetry_failed", err: thrown }, "the collector could not sample itself");
    }
  };
  const timer = setInterval(() => void store(), intervalMs);
  timer.unref();
  return { stop: async () => clearInterval(timer) };
}
