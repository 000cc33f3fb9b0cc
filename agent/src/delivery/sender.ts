import { errorCatalogue } from "@fleetmark/shared/errors";
import type { Ack, BatchId } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "pino";
import { addCount, type DeliveryCounts } from "./counts.js";
import type { Outbox } from "./outbox.js";
import type { Parcel } from "./parcel.js";

/** How much may be sent without an acknowledgement. */
export const windowLimits = { batches: 64, bytes: 4 * 2 ** 20 } as const;

/** Decides what goes over a link next, and what its acknowledgements mean. It knows no socket and no clock. */
export interface Sender {
  /** Batches sent over the present stream and not acknowledged. */
  readonly inFlight: number;
  /** A new stream begins: everything in the outbox is due again. `maxBatchBytes` of 0 means no limit. */
  begin(maxBatchBytes: number): void;
  /**
   * Returns the next parcel to send, if there is one at hand and the window has room for it. After undefined the link is woken
   * (`Link.wake`) when more has come to hand, be it fresh or read from the disk.
   */
  take(): Parcel | undefined;
  settle(ack: Ack): void;
}

/** A code from outside becomes a tag, so only those of the catalogue are kept apart. */
function knownCode(code: string): string {
  return Object.hasOwn(errorCatalogue, code) ? code : "UNKNOWN";
}

export function createSender(host: string, epochUs: number, outbox: Outbox, counts: DeliveryCounts, logger: Logger): Sender {
  const inFlight = new Map<number, number>();
  let bytesInFlight = 0;
  let limit = Number.POSITIVE_INFINITY;
  /** The last sequence given out over this stream, and over any. */
  let cursor = 0;
  let highest = 0;

  /** The sequence of a batch of ours that is in flight; anything else is the collector's error. */
  const readSequence = (id: BatchId | undefined): number | undefined => {
    const sequence = Number(id?.sequence ?? 0);
    if (id?.host === host && id.epochUs === BigInt(epochUs) && sequence > 0 && sequence <= highest) return sequence;
    counts.violations++;
    return undefined;
  };

  const land = (sequence: number): void => {
    bytesInFlight -= inFlight.get(sequence) ?? 0;
    inFlight.delete(sequence);
  };

  const forget = (id: BatchId | undefined, fate: string): void => {
    const sequence = readSequence(id);
    if (sequence === undefined) return;
    land(sequence);
    outbox.release([sequence], fate);
  };

  return {
    get inFlight() {
      return inFlight.size;
    },
    begin(maxBatchBytes) {
      limit = maxBatchBytes === 0 ? Number.POSITIVE_INFINITY : maxBatchBytes;
      inFlight.clear();
      bytesInFlight = 0;
      cursor = 0;
    },
    take() {
      for (;;) {
        const parcel = outbox.peek(cursor);
        if (parcel === undefined) return undefined;
        const { sequence } = parcel.id;
        const size = parcel.bytes.length;
        if (size > limit) {
          logger.error({ event: "batch_dropped", code: "BATCH_TOO_LARGE", bytes: size, limit, samples: parcel.samples });
          cursor = sequence;
          outbox.release([sequence], "BATCH_TOO_LARGE");
          continue;
        }
        const full = inFlight.size >= windowLimits.batches || bytesInFlight + size > windowLimits.bytes;
        if (full && inFlight.size > 0) return undefined;
        if (sequence > highest) counts.sent += parcel.samples;
        else counts.resent += parcel.samples;
        cursor = sequence;
        highest = Math.max(highest, cursor);
        inFlight.set(cursor, size);
        bytesInFlight += size;
        return parcel;
      }
    },
    settle(ack) {
      for (const id of ack.committed) forget(id, "committed");
      for (const { id, code, message } of ack.rejected) {
        logger.error(
          { event: "batch_rejected", code: knownCode(code), sequence: Number(id?.sequence ?? 0) },
          message.slice(0, 500),
        );
        forget(id, knownCode(code));
      }
      for (const { id, code, samples } of ack.refused) {
        if (readSequence(id) === undefined) continue;
        logger.warn({ event: "samples_refused", code: knownCode(code), samples });
        addCount(counts.refused, knownCode(code), samples);
      }
    },
  };
}
