import { crc32 } from "node:zlib";
import { batchKey, nameBatch } from "@fleetmark/shared/model/batch";
import { encodeHostToken } from "@fleetmark/shared/nats/subjects";
import type { EncodedBatch } from "../batch/encoded-batch.js";

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

/** A batch between the send window and its acknowledgement. */
export interface BatchInFlight {
  readonly key: string;
  readonly batch: EncodedBatch;
  /** 1, and one more each time that it is sent anew after a silence. */
  attempt: number;
  /** Due to be published; published without an answer yet; or in the stream, under a sequence. */
  state: "due" | "publishing" | "stored";
  sequence: number;
  storedMs: number;
}

/** Milliseconds. */
export interface Patience {
  /** From a batch's way into the stream to the first question after it. Doubles with each attempt. */
  readonly silence: number;
  /** For a batch that a collector was given and that stays without a word. Doubles with each attempt. */
  readonly stuck: number;
}

export const defaultPatience: Patience = { silence: 30_000, stuck: 60_000 };

/** The longest wait is so many times the first. */
const longestFactor = 16;

/**
 * The batches on their way through the stream. A batch goes round until it is acknowledged, or the spool gives it up:
 *
 *             takeDue              markStored
 *   ──► due ───────────► publishing ───────────► stored ──► acknowledged (removed)
 *        ▲                    │                     │
 *        ├────── markDue ─────┘                     │ the collectors are done with it, and no word came:
 *        └────── judgeSilence, as another attempt ◄─┘ its acknowledgement was lost
 */
export interface InFlight {
  readonly patience: Patience;
  /** By key, in the order in which they were added. */
  readonly batches: Map<string, BatchInFlight>;
  /** When the consumer was made that was last seen; empty when there was none; undefined before the first look. */
  created: string | undefined;
}

export function createInFlight(patience: Patience = defaultPatience): InFlight {
  return { patience, batches: new Map(), created: undefined };
}

/**
 * Names a message for the stream's memory of duplicates. A publish that is only repeated keeps its name, so that the
 * stream takes it once. One that is sent anew after a silence gets another: under the old name the stream would
 * swallow it, and its acknowledgement, once lost, would never come.
 */
export function nameMessage({ batch: { id, bytes }, attempt }: Pick<BatchInFlight, "batch" | "attempt">): string {
  // Clones of one machine give the same name to different batches, of which the stream would swallow the second.
  const name = `${encodeHostToken(id.host)}/${nameBatch(id)}/${crc32(bytes).toString(16)}`;
  return attempt === 1 ? name : `${name}#${attempt}`;
}

export function addInFlight({ batches }: InFlight, batch: EncodedBatch): void {
  const key = batchKey(batch.id);
  batches.set(key, { key, batch, attempt: 1, state: "due", sequence: 0, storedMs: 0 });
}

/** Returns the oldest that is due, as publishing. */
export function takeDue({ batches }: InFlight): BatchInFlight | undefined {
  for (const each of batches.values()) {
    if (each.state !== "due") continue;
    each.state = "publishing";
    return each;
  }
  return undefined;
}

/** The stream has it. */
export function markStored(each: BatchInFlight, sequence: number, nowMs: number): void {
  if (each.state !== "publishing") return;
  Object.assign(each, { state: "stored", sequence, storedMs: nowMs });
}

/**
 * It may not have come into the stream: it is due again, under the same message id, which the stream knows if it
 * came.
 */
export function markDue(each: BatchInFlight): void {
  if (each.state === "publishing") each.state = "due";
}

/** What is published without an answer will get none: the connection is gone. */
export function markAllDue({ batches }: InFlight): void {
  for (const each of batches.values()) markDue(each);
}

export function removeInFlight({ batches }: InFlight, key: string): void {
  batches.delete(key);
}

/** Forgets those that nobody awaits any more. */
export function pruneInFlight({ batches }: InFlight, isAwaited: (batch: EncodedBatch) => boolean): void {
  for (const { key, batch } of batches.values()) if (!isAwaited(batch)) batches.delete(key);
}

function stretch(base: number, { attempt }: BatchInFlight): number {
  return base * Math.min(longestFactor, 2 ** (attempt - 1));
}

/** Whether it has been in the stream for so long that its fate is to be asked after. */
function isSilent(each: BatchInFlight, { silence }: Patience, nowMs: number): boolean {
  return each.state === "stored" && nowMs - each.storedMs >= stretch(silence, each);
}

export function isAnySilent({ batches, patience }: InFlight, nowMs: number): boolean {
  for (const each of batches.values()) if (isSilent(each, patience, nowMs)) return true;
  return false;
}

/** A look at the stream's consumer. */
interface Look {
  readonly position: ConsumerPosition;
  readonly nowMs: number;
  readonly hurry: boolean;
}

/**
 * Lists the batches that were given out and stay without a word, if they are more than all that collectors have in
 * hand: then some of them are done with, or the server has forgotten that they are to be done, as nats-server 2.9 may
 * when it is killed. It does not tell which; to send all of them anew costs little.
 */
function listForgotten({ batches, patience }: InFlight, { position, nowMs, hurry }: Look): readonly BatchInFlight[] {
  const silent = [...batches.values()].filter((each) => {
    const isGivenOut = each.state === "stored" && each.sequence <= position.delivered;
    return isGivenOut && (hurry || isSilent(each, patience, nowMs));
  });
  return silent.length > position.ackPending ? silent : [];
}

function isLost(each: BatchInFlight, patience: Patience, { position, nowMs, hurry }: Look): boolean {
  // Done with, and no word came.
  if (each.sequence <= position.ackFloor) return hurry || isSilent(each, patience, nowMs);
  // Given out, and neither done with nor given out again: something else holds the floor down.
  return each.sequence <= position.delivered && nowMs - each.storedMs >= stretch(patience.stuck, each);
}

/**
 * Judges by the consumer's position (undefined while there is no consumer) which acknowledgements must have been
 * lost, and makes these due as another attempt. In a hurry (the connection was gone, and acknowledgements with it) it
 * does so without a silence.
 */
export function judgeSilence(
  inFlight: InFlight,
  position: ConsumerPosition | undefined,
  nowMs: number,
  hurry = false,
): BatchInFlight[] {
  const { batches, patience, created } = inFlight;
  const isAnotherStream = created !== undefined && created !== (position?.created ?? "");
  inFlight.created = position?.created ?? "";
  if (position === undefined) return [];
  const look = { position, nowMs, hurry };
  const forgotten = new Set(listForgotten(inFlight, look));
  const lost = [...batches.values()].filter((each) => {
    if (each.state !== "stored") return false;
    return isAnotherStream || forgotten.has(each) || isLost(each, patience, look);
  });
  for (const each of lost) {
    each.state = "due";
    each.attempt++;
  }
  return lost;
}
