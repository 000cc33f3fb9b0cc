import type { Logger } from "@fleetmark/shared/log";
import type { SpoolDisk } from "./disk.js";
import type { Fate, Priority } from "./encoded-batch.js";
import { type Entry, type EntryFacts, last, origin, readFacts } from "./entry.js";
import { priorities, type SpoolTally } from "./tally.js";

/** Bytes in memory of what the disk can't take. */
export const heldBytes = 4 * 2 ** 20;

/** Milliseconds between two events of a spool that stays full. */
const tellFullEveryMs = 60_000;

/** What goes first when something must go. */
const sacrifices = ["telemetry", "result"] as const satisfies readonly Priority[];

export interface SpoolBoundsParts {
  readonly disk: SpoolDisk;
  readonly tally: SpoolTally;
  /** Bytes of encoded batches. */
  readonly maxBytes: number;
  /** Seconds. */
  readonly maxAge: number;
  /** Bytes that are read at a time. */
  readonly readBytes: number;
  readonly logger: Logger;
  /** What is not on the disk yet, in order. */
  listWaiting(): readonly Entry[];
  /** Lets a batch go. */
  giveUp(batch: EntryFacts, fate: Fate): void;
}

/** Keeps a spool within its bounds: the oldest goes first, and telemetry before results. */
export interface SpoolBounds {
  /** Gives up what is older than the age, at a moment in milliseconds since the Unix epoch. */
  dropOld(nowMs: number): Promise<void>;
  /** Gives up what is above the bytes. */
  makeRoom(): Promise<void>;
  /** Gives up what is above the bytes that memory may hold. */
  trimWaiting(fate: Fate): void;
}

export function createSpoolBounds(parts: SpoolBoundsParts): SpoolBounds {
  const { disk, tally, maxBytes, maxAge, readBytes, logger, listWaiting, giveUp } = parts;
  let toldFullAt = Number.NEGATIVE_INFINITY;

  /** Gives up what is alive on the disk, in order, until `enough`. */
  const sacrifice = async (priority: Priority, fate: Fate, enough: (batch: EntryFacts) => boolean): Promise<void> => {
    for (let after = origin; ; ) {
      const entries = await disk.read(priority, after, last, readBytes);
      for (const batch of entries.map(readFacts)) {
        if (enough(batch)) return;
        giveUp(batch, fate);
        after = batch;
      }
      if (entries.length === 0) return;
    }
  };

  const sacrificeWaiting = (priority: Priority, fate: Fate, enough: () => boolean): void => {
    for (const entry of [...listWaiting()]) {
      if (enough()) return;
      if (entry.priority === priority) giveUp(readFacts(entry), fate);
    }
  };

  return {
    async dropOld(nowMs) {
      const earliestMs = nowMs - maxAge * 1000;
      for (const priority of priorities) {
        const first = tally.findOldest(priority);
        if (first === undefined || first.putMs >= earliestMs) continue;
        const before = tally.sum("samples");
        await sacrifice(priority, "SPOOL_TOO_OLD", ({ putMs }) => putMs >= earliestMs);
        const samples = before - tally.sum("samples");
        logger.warn({ event: "spool_too_old", code: "SPOOL_TOO_OLD", samples, max_age_s: maxAge });
      }
    },
    async makeRoom() {
      const enough = (): boolean => tally.sum("bytes") <= maxBytes;
      if (enough()) return;
      const before = tally.sum("samples");
      for (const priority of sacrifices) {
        if (!enough()) await sacrifice(priority, "SPOOL_FULL", enough);
        sacrificeWaiting(priority, "SPOOL_FULL", enough);
      }
      if (performance.now() - toldFullAt < tellFullEveryMs) return;
      toldFullAt = performance.now();
      const samples = before - tally.sum("samples");
      logger.warn({ event: "spool_full", code: "SPOOL_FULL", samples, limit: maxBytes });
    },
    trimWaiting(fate) {
      const limit = Math.min(heldBytes, maxBytes);
      const enough = (): boolean => listWaiting().reduce((bytes, entry) => bytes + entry.bytes.length, 0) <= limit;
      for (const priority of sacrifices) sacrificeWaiting(priority, fate, enough);
    },
  };
}
