import { openSync, readFileSync, writeSync } from "node:fs";

/**
 * What a process of simulated hosts writes down, a JSON line each, before it does it or the moment it learns of it.
 * Times are microseconds in `t` (of samples, by the host's clock) and milliseconds in `at` (of events, by the machine's
 * clock). `e` and `s` are a batch's epoch and sequence.
 */
export type JournalRecord =
  | { readonly k: "begin"; readonly at: number }
  /** All points of host `h` at time `t` are about to be handed to its delivery. */
  | { readonly k: "made"; readonly h: string; readonly t: number; readonly at: number }
  /** A batch was taken from the host's spool to be sent; `p` names its points by time and group. */
  | { readonly k: "taken"; readonly h: string; readonly e: number; readonly s: number; readonly p: [t: number, group: number][] }
  | { readonly k: "acked"; readonly h: string; readonly e: number; readonly s: number; readonly at: number }
  | { readonly k: "rejected"; readonly h: string; readonly e: number; readonly s: number; readonly code: string }
  | {
      readonly k: "refused";
      readonly h: string;
      readonly e: number;
      readonly s: number;
      readonly code: string;
      readonly n: number;
    }
  /**
   * The delivery's own counts, which go on from process to process: samples lost by reason, and batches put into
   * quarantine.
   */
  | {
      readonly k: "counts";
      readonly h: string;
      readonly dropped: Record<string, number>;
      readonly quarantined: number;
    }
  /**
   * Written by whoever did it: the hosts of this journal were set back to what they were at `from`. What they did not
   * deliver since then is gone, and nobody can know.
   */
  | { readonly k: "set-back"; readonly from: number; readonly at: number }
  /**
   * Written by whoever did it: what the store took from `from` to `at` was taken away from it, or all of it where
   * `from` is 0.
   */
  | { readonly k: "destroyed"; readonly from: number; readonly at: number }
  /** The process has ended by itself, and nothing of the hosts waits in its memory. */
  | { readonly k: "end"; readonly at: number };

export interface Journal {
  write(record: JournalRecord): void;
}

/**
 * Opens a journal for appending. A line is with the kernel when `write` returns, and outlives a kill -9 of the process.
 */
export function openJournal(path: string): Journal {
  const file = openSync(path, "a");
  return {
    write: (record) => {
      writeSync(file, `${JSON.stringify(record)}\n`);
    },
  };
}

/** Reads a journal. The last line may be torn where its process was killed in the midst of it. */
export function readJournal(path: string): JournalRecord[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const last = lines.pop();
  if (last !== undefined && last !== "") lines.push(last);
  return lines.flatMap((line, i) => {
    try {
      return [JSON.parse(line) as JournalRecord];
    } catch (thrown) {
      if (i === lines.length - 1) return [];
      throw thrown;
    }
  });
}
