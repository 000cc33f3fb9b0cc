import { isErrorCode } from "@fleetmark/shared/errors";
import type { Ack, BatchId as WireBatchId } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { type BatchId, nameBatch } from "@fleetmark/shared/model/batch";
import { decodeBatchId } from "@fleetmark/shared/wire/batch-id";
import type { EncodedBatch, Fate, LossReason } from "../batch/encoded-batch.js";
import type { Entry, Position } from "../batch/entry.js";
import { addCount } from "../batch/losses.js";
import { createSequenceSet, type SequenceSet } from "../batch/sequence-set.js";
import type { Spool } from "../spool/spool.js";
import type { DeliveryCounts } from "./counts.js";
import type { SendQueue } from "./send-queue.js";

/** How much may be sent without an acknowledgement. */
export const windowLimits = { batches: 64, bytes: 4 * 2 ** 20 } as const;

/** Decides what goes over a link next, and what its acknowledgements mean. It knows no socket and no clock. */
export interface SendWindow {
  /** Batches sent over the present stream and not acknowledged. */
  readonly inFlight: number;
  /** A new stream begins: everything unacknowledged is due again. `maxBatchBytes` of 0 means no limit. */
  restart(maxBatchBytes: number): void;
  /**
   * Returns the next batch to send, if there is one at hand and the window has room for it. After undefined the link
   * is woken (`Link.wake`) when more has come to hand, be it fresh or read from the disk.
   */
  takeNext(): EncodedBatch | undefined;
  /** Whether a batch that was taken still waits for its acknowledgement: the spool may have given it up meanwhile. */
  awaits(id: BatchId): boolean;
  acknowledge(ack: Ack): void;
}

/** A window that can be told of what left the spool by itself. */
export interface OwnSendWindow extends SendWindow {
  forget(position: Position): void;
}

export interface SendWindowOptions {
  readonly spool: Pick<Spool, "epochUs" | "release" | "releaseByName" | "findHost">;
  readonly queue: SendQueue;
  readonly counts: DeliveryCounts;
  readonly logger: Logger;
  /** Gives a batch another name, under which it is due again. */
  readonly renumber: (entry: Entry) => void;
}

interface WindowState {
  readonly options: SendWindowOptions;
  /** By name. */
  readonly inFlight: Map<string, Entry>;
  bytesInFlight: number;
  /** Bytes of the largest batch that the collector takes. */
  limit: number;
  /** Sequences of this process that were given out over any stream. */
  readonly given: SequenceSet;
}

/** A code from outside becomes a tag, so only those of the catalogue are kept apart. */
function readReason(code: string): LossReason {
  return isErrorCode(code) ? code : "UNKNOWN";
}

function tryDecodeId(id: WireBatchId | undefined): BatchId | undefined {
  try {
    return decodeBatchId(id);
  } catch {
    return undefined;
  }
}

/** Reads the id of a batch that an agent of this spool sent; anything else is the collector's error. */
function readOwnId({ options: { spool, counts }, given }: WindowState, wireId: WireBatchId | undefined): BatchId | undefined {
  const id = tryDecodeId(wireId);
  const isOurs = id !== undefined && id.host === spool.findHost(id.epochUs);
  if (isOurs && (id.epochUs !== spool.epochUs || given.has(id.sequence))) return id;
  counts.violations++;
  return undefined;
}

function release(window: WindowState, wireId: WireBatchId | undefined, fate: Fate): void {
  const { spool } = window.options;
  const id = readOwnId(window, wireId);
  if (id === undefined) return;
  const entry = window.inFlight.get(nameBatch(id));
  // Over a link whose acknowledgements outlive its streams, one may be of a batch that is not due again yet.
  if (entry === undefined) spool.releaseByName(id, fate);
  else spool.release(entry, fate);
}

/**
 * A batch whose name the collector knows with another content is sent again under another. One that is not in flight
 * is due again some day, and is rejected again then.
 */
function renumber(window: WindowState, wireId: WireBatchId | undefined): void {
  const id = readOwnId(window, wireId);
  const entry = id === undefined ? undefined : window.inFlight.get(nameBatch(id));
  if (entry !== undefined) window.options.renumber(entry);
}

function acknowledge(window: WindowState, ack: Ack): void {
  const { logger, counts } = window.options;
  for (const id of ack.committed) release(window, id, "committed");
  for (const { id, code, message } of ack.rejected) {
    const reason = readReason(code);
    logger.error({ event: "batch_rejected", code: reason, sequence: Number(id?.sequence ?? 0) }, message.slice(0, 500));
    if (reason === "BATCH_ID_REUSED") renumber(window, id);
    else release(window, id, reason);
  }
  for (const { id, code, samples } of ack.refused) {
    if (readOwnId(window, id) === undefined) continue;
    logger.warn({ event: "samples_refused", code: readReason(code), samples });
    addCount(counts.refused, readReason(code), samples);
  }
}

function hasRoom({ inFlight, bytesInFlight }: WindowState, size: number): boolean {
  return inFlight.size === 0 || (inFlight.size < windowLimits.batches && bytesInFlight + size <= windowLimits.bytes);
}

function putInFlight(window: WindowState, entry: Entry): void {
  const { spool, counts } = window.options;
  const { epochUs, sequence } = entry.id;
  if (epochUs === spool.epochUs && window.given.add(sequence)) counts.sent += entry.samples;
  else counts.resent += entry.samples;
  window.inFlight.set(nameBatch(entry.id), entry);
  window.bytesInFlight += entry.bytes.length;
}

function takeNext(window: WindowState): EncodedBatch | undefined {
  const { inFlight, limit, options } = window;
  const accept = ({ id, bytes: { length } }: Entry): boolean =>
    length > limit || inFlight.has(nameBatch(id)) || hasRoom(window, length);
  for (;;) {
    const entry = options.queue.takeNext(accept);
    if (entry === undefined) return undefined;
    if (inFlight.has(nameBatch(entry.id))) continue;
    const { bytes, samples } = entry;
    if (bytes.length <= limit) {
      putInFlight(window, entry);
      return entry;
    }
    options.logger.error({ event: "batch_dropped", code: "BATCH_TOO_LARGE", bytes: bytes.length, limit, samples });
    options.spool.release(entry, "BATCH_TOO_LARGE");
  }
}

function restart(window: WindowState, maxBatchBytes: number): void {
  window.limit = maxBatchBytes === 0 ? Number.POSITIVE_INFINITY : maxBatchBytes;
  window.inFlight.clear();
  window.bytesInFlight = 0;
  window.options.queue.restart();
}

function forget(window: WindowState, position: Position): void {
  const name = nameBatch(position);
  // What is in flight may lie in the queue as well: read from the disk before its acknowledgement came.
  window.options.queue.forget(position);
  const entry = window.inFlight.get(name);
  if (entry === undefined) return;
  window.inFlight.delete(name);
  window.bytesInFlight -= entry.bytes.length;
}

export function createSendWindow(options: SendWindowOptions): OwnSendWindow {
  const inFlight = new Map<string, Entry>();
  const window: WindowState = {
    options,
    inFlight,
    bytesInFlight: 0,
    limit: Number.POSITIVE_INFINITY,
    given: createSequenceSet(),
  };
  return {
    get inFlight() {
      return inFlight.size;
    },
    restart: (maxBatchBytes) => restart(window, maxBatchBytes),
    takeNext: () => takeNext(window),
    awaits: (id) => inFlight.has(nameBatch(id)),
    acknowledge: (ack) => acknowledge(window, ack),
    forget: (position) => forget(window, position),
  };
}
