import type { BatchId } from "@fleetmark/shared/batch";
import { type ErrorCode, errorMessage } from "@fleetmark/shared/errors";
import { readClockUs } from "../clock.js";
import type { HostState } from "../fleet.js";
import { addKpis } from "../judge/enrich.js";
import { type Admission, admitBatch } from "./admit.js";
import type { AgentStream, IngestParts } from "./stream.js";

async function keepInQuarantine(parts: IngestParts, bytes: Uint8Array, code: ErrorCode, id: BatchId | undefined): Promise<void> {
  const { quarantine, metrics, logger } = parts;
  try {
    await quarantine.keep(bytes, code, id, readClockUs());
    metrics.quarantineBytes.set(quarantine.size());
  } catch (thrown) {
    metrics.quarantineFailures.inc();
    logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "a rejected batch could not be kept");
  }
}

/** Queues an admitted batch with the KPIs that its results give; it is acknowledged once all of it is committed. */
function storeBatch(stream: AgentStream, host: HostState, encodedBytes: number, admission: Admission & { admitted: true }): void {
  const { metrics, logger, writer } = stream.parts;
  const { batch, refused } = admission;
  for (const [code, samples] of refused) {
    metrics.samplesRefused.inc({ code }, samples);
    host.counters.samples_refused += samples;
    logger.warn({ event: "samples_refused", host: batch.id.host, code, samples }, "samples were refused");
  }
  writer.enqueue(addKpis(batch), encodedBytes, () => {
    stream.outstanding--;
    stream.outbox.addCommitted(batch.id, refused);
  });
}

async function rejectBatch(
  stream: AgentStream,
  host: HostState,
  bytes: Uint8Array,
  admission: Admission & { admitted: false },
): Promise<void> {
  const { metrics, logger } = stream.parts;
  const { id, code, message } = admission;
  metrics.batchesRejected.inc({ code });
  host.counters.batches_rejected++;
  logger.warn({ event: "batch_rejected", host: host.hello.host, code, error: message }, "a batch was rejected");
  await keepInQuarantine(stream.parts, bytes, code, id);
  stream.outstanding--;
  stream.outbox.addRejected(id, code, message);
}

/**
 * Takes in an encoded batch of a host: it ends up stored or in quarantine, and acknowledged as the one or the other.
 * @throws FleetmarkError BATCH_MALFORMED when not even its id can be read
 */
export function takeBatch(stream: AgentStream, host: HostState, bytes: Uint8Array): void {
  const { parts } = stream;
  parts.metrics.batchesReceived.inc();
  host.counters.batches_received++;
  let admission: Admission;
  try {
    admission = admitBatch(bytes, host.hello.host, parts.limits, readClockUs());
  } catch (thrown) {
    void keepInQuarantine(parts, bytes, "BATCH_MALFORMED", undefined);
    throw thrown;
  }
  stream.outstanding++;
  if (admission.admitted) storeBatch(stream, host, bytes.length, admission);
  else void rejectBatch(stream, host, bytes, admission);
}
