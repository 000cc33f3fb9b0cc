import type { Fate, Parcel } from "./parcel.js";

/** What waits for its acknowledgement, in order of sequence. */
export interface Outbox {
  readonly batches: number;
  readonly bytes: number;
  /** Takes a parcel whose sequence is above all before it. May evict, itself included, to stay within its bound. */
  put(parcel: Parcel): void;
  /** Returns the first parcel whose sequence is above this one. */
  peek(after: number): Parcel | undefined;
  /** Forgets parcels; a sequence that is not here changes nothing. */
  release(sequences: readonly number[], fate: Fate): void;
}

/** Returns the index of the first parcel with a sequence of at least this one. */
function findIndex(parcels: readonly Parcel[], sequence: number): number {
  let [low, high] = [0, parcels.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (parcels[middle].id.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Creates an outbox in memory. Beyond `maxBytes` of encoded batches the oldest telemetry goes first, and results only when no
 * telemetry is left. `onGone` hears of every parcel that leaves, exactly once.
 */
export function createOutbox(maxBytes: number, onGone: (parcel: Parcel, fate: Fate) => void): Outbox {
  const parcels: Parcel[] = [];
  let bytes = 0;

  const remove = (index: number, fate: Fate): void => {
    const [parcel] = parcels.splice(index, 1);
    bytes -= parcel.bytes.length;
    onGone(parcel, fate);
  };

  return {
    get batches() {
      return parcels.length;
    },
    get bytes() {
      return bytes;
    },
    put(parcel) {
      parcels.push(parcel);
      bytes += parcel.bytes.length;
      while (bytes > maxBytes) {
        const telemetry = parcels.findIndex(({ priority }) => priority === "telemetry");
        remove(Math.max(0, telemetry), "BUFFER_FULL");
      }
    },
    peek(after) {
      return parcels[findIndex(parcels, after + 1)];
    },
    release(sequences, fate) {
      for (const sequence of sequences) {
        const index = findIndex(parcels, sequence);
        if (parcels[index]?.id.sequence === sequence) remove(index, fate);
      }
    },
  };
}
