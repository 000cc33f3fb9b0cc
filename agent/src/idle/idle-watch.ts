import { waitAtMost } from "@fleetmark/shared/waiting";
import type { Sign } from "./signs.js";

/**
 * Whether the host is free for a run: none of its signs of work is seen.
 *
 *   before a run ──► every sign, until none was seen for a while ──► it begins
 *   during a run ──► every half second those that the run does not give itself; seen twice in a row ──► it gives way
 */

/** Milliseconds between two looks during a run: two of them, and the end of the run's processes, stay below 2 s. */
export const lookEveryMs = 500;

/** Looks at a run's side that see the same are work, and not a hiccup. */
const looksToBelieve = 2;

export interface IdleWatch {
  /** Says why the host is not free for a run; undefined where it is. */
  findBusy(): Promise<string | undefined>;
  /** Calls back once when work is seen beside a run that is under way, until the returned function is called. */
  onBusy(giveWay: (reason: string) => void): () => void;
}

/** Seconds that a question before a run, and one beside it, waits for the slowest sign. */
const patience = { before: 7, beside: 0.4 } as const;

/** What is known by a sign. */
interface Word {
  /** When it was asked last, milliseconds. */
  atMs: number;
  seen: string | undefined;
  /** While it is being asked. */
  pending: Promise<void> | undefined;
}

/** @param nowMs a clock that never steps, milliseconds */
export function createIdleWatch(signs: readonly Sign[], nowMs: () => number): IdleWatch {
  const words = new Map<Sign, Word>();

  /** Asks a sign, unless it is being asked or was asked of late. */
  const ask = (sign: Sign): Word => {
    const word: Word = words.get(sign) ?? { atMs: Number.NEGATIVE_INFINITY, seen: undefined, pending: undefined };
    words.set(sign, word);
    if (word.pending !== undefined || nowMs() - word.atMs < sign.everyS * 1000) return word;
    word.atMs = nowMs();
    word.pending = sign.look().then((seen) => {
      word.seen = seen;
      word.pending = undefined;
    });
    return word;
  };

  const findFirst = async (chosen: readonly Sign[], patienceS: number): Promise<string | undefined> => {
    const asked = chosen.map(ask);
    await waitAtMost(Promise.all(asked.map(({ pending }) => pending)), patienceS);
    return asked.find(({ seen }) => seen !== undefined)?.seen;
  };

  return {
    findBusy: () => findFirst(signs, patience.before),
    onBusy: (giveWay) => {
      const others = signs.filter(({ isOwnToo }) => !isOwnToo);
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      let inARow = 0;
      const watch = async (): Promise<void> => {
        const seen = await findFirst(others, patience.beside);
        if (isOver) return;
        inARow = seen === undefined ? 0 : inARow + 1;
        if (seen !== undefined && inARow >= looksToBelieve) {
          isOver = true;
          giveWay(seen);
          return;
        }
        timer = setTimeout(() => void watch(), lookEveryMs);
      };
      void watch();
      return () => {
        isOver = true;
        clearTimeout(timer);
      };
    },
  };
}
