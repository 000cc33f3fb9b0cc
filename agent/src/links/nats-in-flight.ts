import { batchKey } from "@fleetmark/shared/model/batch";
import { encodeHostToken } from "@fleetmark/shared/nats/subjects";
import type { Parcel } from "../spool/encoded-batch.js";

/** How far the collectors' shared consumer is in the stream, by sequences of the stream. */
export interface ConsumerPosition {
  /** When the consumer was made: another time means another stream, whose sequences begin again. */
  readonly created: string;
  /** Every message up to this one is done with. */
  readonly ackFloor: number;
  /** Every message up to this one was given to a collector. */
  readonly delivered: number;
  /** How many of them collectors have in hand, of all hosts together. */
  readonly ackPending: number;
}

/** A parcel between the sender and its acknowledgement. */
export interface Transit {
  readonly key: string;
  readonly parcel: Parcel;
  /** 1, and one more each time that it is sent anew after a silence. */
  attempt: number;
  /** Due to be published; published without an answer yet; or in the stream, under a sequence. */
  state: "due" | "publishing" | "stored";
  sequence: number;
  storedMs: number;
}

/** Milliseconds. */
export interface TransitPatience {
  /** From a batch's way into the stream to the first question after it. Doubles with each attempt. */
  readonly silence: number;
  /** For a batch that a collector was given and that stays without a word. Doubles with each attempt. */
  readonly stuck: number;
}

export const defaultPatience: TransitPatience = { silence: 30_000, stuck: 60_000 };

/** The longest wait is so many times the first. */
const longestFactor = 16;

/** Parcels on their way through the stream. It knows no socket and no clock. */
export interface Transits {
  readonly size: number;
  add(parcel: Parcel): void;
  /** Returns the oldest that is due, as publishing. */
  takeDue(): Transit | undefined;
  /** The stream has it. */
  store(transit: Transit, sequence: number, nowMs: number): void;
  /** It may not have come into the stream: it is due again, under the same message id, which the stream knows if it came. */
  fail(transit: Transit): void;
  /** What is published without an answer will get none: the connection is gone. */
  failAll(): void;
  settle(key: string): void;
  /** Forgets those that nobody awaits any more. */
  prune(isAwaited: (parcel: Parcel) => boolean): void;
  /** Whether a batch has been in the stream for so long that its fate is to be asked after. */
  isSilent(nowMs: number): boolean;
  /**
   * Judges by the consumer's position (undefined while there is no consumer) which acknowledgements must have been lost, and makes these
   * due as another attempt. In a hurry (the connection was gone, and acknowledgements with it) it does so without a silence.
   */
  judge(position: ConsumerPosition | undefined, nowMs: number, hurry?: boolean): Transit[];
}

/**
 * Names a message for the stream's memory of duplicates. A publish that is only repeated keeps its name, so that the stream takes it
 * once. One that is sent anew after a silence gets another: under the old name the stream would swallow it, and its acknowledgement,
 * once lost, would never come.
 */
export function nameMessage({ parcel: { id }, attempt }: Pick<Transit, "parcel" | "attempt">): string {
  const name = `${encodeHostToken(id.host)}/${id.epochUs}/${id.sequence}`;
  return attempt === 1 ? name : `${name}#${attempt}`;
}

export function createTransits(patience: TransitPatience = defaultPatience): Transits {
  const transits = new Map<string, Transit>();
  /** When the consumer was made that was last seen; empty when there was none; undefined before the first look. */
  let created: string | undefined;

  const wait = (base: number, { attempt }: Transit): number => base * Math.min(longestFactor, 2 ** (attempt - 1));

  /**
   * Lists the batches that were given out and stay without a word, if they are more than all that collectors have in hand: then some of
   * them are done with, or the server has forgotten that they are to be done, as nats-server 2.9 may when it is killed. It does not tell
   * which; to send all of them anew costs little.
   */
  const listForgotten = ({ delivered, ackPending }: ConsumerPosition, nowMs: number, hurry: boolean): readonly Transit[] => {
    const silent = [...transits.values()].filter((transit) => {
      const isSilent = hurry || nowMs - transit.storedMs >= wait(patience.silence, transit);
      return transit.state === "stored" && transit.sequence <= delivered && isSilent;
    });
    return silent.length > ackPending ? silent : [];
  };

  const isLost = (transit: Transit, { ackFloor, delivered }: ConsumerPosition, nowMs: number, hurry: boolean): boolean => {
    const age = nowMs - transit.storedMs;
    // Done with, and no word came.
    if (transit.sequence <= ackFloor) return hurry || age >= wait(patience.silence, transit);
    // Given out, and neither done with nor given out again: something else holds the floor down.
    return transit.sequence <= delivered && age >= wait(patience.stuck, transit);
  };

  return {
    get size() {
      return transits.size;
    },
    add: (parcel) => {
      const key = batchKey(parcel.id);
      transits.set(key, { key, parcel, attempt: 1, state: "due", sequence: 0, storedMs: 0 });
    },
    takeDue: () => {
      for (const transit of transits.values()) {
        if (transit.state !== "due") continue;
        transit.state = "publishing";
        return transit;
      }
      return undefined;
    },
    store: (transit, sequence, nowMs) => {
      if (transit.state !== "publishing") return;
      Object.assign(transit, { state: "stored", sequence, storedMs: nowMs });
    },
    fail: (transit) => {
      if (transit.state === "publishing") transit.state = "due";
    },
    failAll: () => {
      for (const transit of transits.values()) if (transit.state === "publishing") transit.state = "due";
    },
    settle: (key) => {
      transits.delete(key);
    },
    prune: (isAwaited) => {
      for (const { key, parcel } of transits.values()) if (!isAwaited(parcel)) transits.delete(key);
    },
    isSilent: (nowMs) => {
      for (const transit of transits.values()) {
        if (transit.state === "stored" && nowMs - transit.storedMs >= wait(patience.silence, transit)) return true;
      }
      return false;
    },
    judge: (position, nowMs, hurry = false) => {
      const anotherStream = created !== undefined && created !== (position?.created ?? "");
      created = position?.created ?? "";
      if (position === undefined) return [];
      const forgotten = new Set(listForgotten(position, nowMs, hurry));
      const lost = [...transits.values()].filter((transit) => {
        if (transit.state !== "stored") return false;
        return anotherStream || forgotten.has(transit) || isLost(transit, position, nowMs, hurry);
      });
      for (const transit of lost) {
        transit.state = "due";
        transit.attempt++;
      }
      return lost;
    },
  };
}
