import { errorCatalogue } from "@fleetmark/shared/errors";
import type { Ack, BatchId } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import type { Fate, Parcel } from "../spool/encoded-batch.js";
import type { Entry, Position } from "../spool/entry.js";
import { createSequenceSet } from "../spool/sequence-set.js";
import { addCount, type DeliveryCounts } from "./counts.js";
import type { Feed } from "./send-queue.js";

/** How much may be sent without an acknowledgement. */
export const windowLimits = { batches: 64, bytes: 4 * 2 ** 20 } as const;

/** Decides what goes over a link next, and what its acknowledgements mean. It knows no socket and no clock. */
export interface Sender {
  /** Batches sent over the present stream and not acknowledged. */
  readonly inFlight: number;
  /** A new stream begins: everything unacknowledged is due again. `maxBatchBytes` of 0 means no limit. */
  begin(maxBatchBytes: number): void;
  /**
   * Returns the next parcel to send, if there is one at hand and the window has room for it. After undefined the link is woken
   * (`Link.wake`) when more has come to hand, be it fresh or read from the disk.
   */
  take(): Parcel | undefined;
  /** Whether a parcel that was taken still waits for its acknowledgement: the spool may have given it up meanwhile. */
  awaits(id: Parcel["id"]): boolean;
  settle(ack: Ack): void;
}

/** A code from outside becomes a tag, so only those of the catalogue are kept apart. */
function knownCode(code: string): string {
  return Object.hasOwn(errorCatalogue, code) ? code : "UNKNOWN";
}

/** What the sender asks of the spool. */
export interface SenderSpool {
  readonly epochUs: number;
  release(entry: Entry, fate: Fate): void;
  releaseByName(position: Position, fate: Fate): void;
  findHost(epochUs: number): string | undefined;
}

/** A sender that can be told of what left the spool by itself. */
export interface OwnSender extends Sender {
  forget(position: Position): void;
}

const nameOf = ({ epochUs, sequence }: Position): string => `${epochUs}/${sequence}`;

export function createSender(spool: SenderSpool, feed: Feed, counts: DeliveryCounts, logger: Logger): OwnSender {
  const inFlight = new Map<string, Entry>();
  let bytesInFlight = 0;
  let limit = Number.POSITIVE_INFINITY;
  /** Sequences of this process that were given out over any stream. */
  const given = createSequenceSet();

  /** The name of a batch that an agent of this spool sent; anything else is the collector's error. */
  const readPosition = (id: BatchId | undefined): Position | undefined => {
    const position = { epochUs: Number(id?.epochUs ?? 0), sequence: Number(id?.sequence ?? 0) };
    const isOurs = id !== undefined && id.host === spool.findHost(position.epochUs) && position.sequence > 0;
    if (isOurs && (position.epochUs !== spool.epochUs || given.has(position.sequence))) return position;
    counts.violations++;
    return undefined;
  };

  const settleOne = (id: BatchId | undefined, fate: Fate): void => {
    const position = readPosition(id);
    if (position === undefined) return;
    const entry = inFlight.get(nameOf(position));
    // Over a link whose acknowledgements outlive its streams, one may be of a batch that is not due again yet.
    if (entry === undefined) spool.releaseByName(position, fate);
    else spool.release(entry, fate);
  };

  const hasRoom = (size: number): boolean =>
    inFlight.size === 0 || (inFlight.size < windowLimits.batches && bytesInFlight + size <= windowLimits.bytes);

  const send = (entry: Entry): void => {
    const { epochUs, sequence } = entry.id;
    if (epochUs === spool.epochUs && given.add(sequence)) counts.sent += entry.samples;
    else counts.resent += entry.samples;
    inFlight.set(nameOf(entry.id), entry);
    bytesInFlight += entry.bytes.length;
  };

  return {
    get inFlight() {
      return inFlight.size;
    },
    begin(maxBatchBytes) {
      limit = maxBatchBytes === 0 ? Number.POSITIVE_INFINITY : maxBatchBytes;
      inFlight.clear();
      bytesInFlight = 0;
      feed.begin();
    },
    take() {
      for (;;) {
        const entry = feed.take(({ id, bytes }) => bytes.length > limit || inFlight.has(nameOf(id)) || hasRoom(bytes.length));
        if (entry === undefined) return undefined;
        if (inFlight.has(nameOf(entry.id))) continue;
        const size = entry.bytes.length;
        if (size <= limit) {
          send(entry);
          return entry;
        }
        logger.error({ event: "batch_dropped", code: "BATCH_TOO_LARGE", bytes: size, limit, samples: entry.samples });
        spool.release(entry, "BATCH_TOO_LARGE");
      }
    },
    awaits: (id) => inFlight.has(nameOf(id)),
    settle(ack) {
      for (const id of ack.committed) settleOne(id, "committed");
      for (const { id, code, message } of ack.rejected) {
        logger.error(
          { event: "batch_rejected", code: knownCode(code), sequence: Number(id?.sequence ?? 0) },
          message.slice(0, 500),
        );
        settleOne(id, knownCode(code));
      }
      for (const { id, code, samples } of ack.refused) {
        if (readPosition(id) === undefined) continue;
        logger.warn({ event: "samples_refused", code: knownCode(code), samples });
        addCount(counts.refused, knownCode(code), samples);
      }
    },
    forget(position) {
      const entry = inFlight.get(nameOf(position));
      if (entry === undefined) return feed.forget(position);
      inFlight.delete(nameOf(position));
      bytesInFlight -= entry.bytes.length;
    },
  };
}
