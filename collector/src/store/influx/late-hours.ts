import { hourUs, isKeptWhole } from "../retention.js";
import type { Samples } from "../store.js";

/** Hours of one host, from inclusive, to exclusive. */
export interface LateRange {
  readonly host: string;
  readonly fromUs: number;
  readonly toUs: number;
}

/** Remembers the hours that got samples so late that the nightly roll-up passes them over. */
export interface LateHours {
  /** @param lateUs samples before are late */
  note(batches: readonly Samples[], lateUs: number): void;
  isEmpty(): boolean;
  /** Hands the hours out and forgets them. */
  take(): LateRange[];
  /** Takes back what could not be rolled up. */
  putBack(ranges: readonly LateRange[]): void;
}

export function createLateHours(): LateHours {
  const byHost = new Map<string, Set<number>>();
  const add = (host: string, hour: number): void => {
    const hours = byHost.get(host) ?? new Set();
    hours.add(hour);
    byHost.set(host, hours);
  };
  return {
    note: (batches, lateUs) => {
      for (const { series, numbers } of batches) {
        numbers.timeUs.forEach((timeUs, i) => {
          const own = series[numbers.series[i]];
          if (timeUs < lateUs && !isKeptWhole(own, "numbers")) add(own.tags.host ?? "", Math.floor(timeUs / hourUs));
        });
      }
    },
    isEmpty: () => byHost.size === 0,
    take: () => {
      const ranges = [...byHost].flatMap(([host, hours]) => joinHours(host, hours));
      byHost.clear();
      return ranges;
    },
    putBack: (ranges) => {
      for (const { host, fromUs, toUs } of ranges) for (let at = fromUs; at < toUs; at += hourUs) add(host, at / hourUs);
    },
  };
}

/** Joins hours that follow each other. */
function joinHours(host: string, hours: ReadonlySet<number>): LateRange[] {
  const ranges: { host: string; fromUs: number; toUs: number }[] = [];
  for (const hour of [...hours].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.toUs === hour * hourUs) last.toUs += hourUs;
    else ranges.push({ host, fromUs: hour * hourUs, toUs: (hour + 1) * hourUs });
  }
  return ranges;
}
