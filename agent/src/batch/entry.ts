import type { EncodedBatch, Priority } from "./encoded-batch.js";

/** A batch in the spool. */
export interface Entry extends EncodedBatch {
  /** When it was put into the spool, milliseconds since the Unix epoch. */
  readonly putMs: number;
}

/** Where a batch stands among those of its priority. */
export interface Position {
  readonly epochUs: number;
  readonly sequence: number;
}

/** What is kept in memory of a batch that leaves. */
export interface EntryFacts extends Position {
  readonly priority: Priority;
  readonly samples: number;
  /** Encoded bytes of the batch. */
  readonly size: number;
  readonly putMs: number;
}

/** Before every batch. */
export const origin: Position = { epochUs: 0, sequence: 0 };

/** Some batches of a priority, in order. */
export interface Chunk {
  readonly entries: readonly Entry[];
  /** Where the next chunk begins; undefined when there is none, as of now. */
  readonly next: Position | undefined;
}

/** After every batch. */
export const last: Position = { epochUs: Number.MAX_SAFE_INTEGER, sequence: 2 ** 48 };

export function comparePositions(a: Position, b: Position): number {
  return a.epochUs - b.epochUs || a.sequence - b.sequence;
}

export function readFacts({ id, priority, samples, bytes, putMs }: Entry): EntryFacts {
  return { priority, epochUs: id.epochUs, sequence: id.sequence, samples, size: bytes.length, putMs };
}
