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
  /**
   * @param lateUs samples before are late
   * @returns the hours that were not remembered before
   */
  add(batches: readonly Samples[], lateUs: number): LateRange[];
  isEmpty(): boolean;
  /** Hands the hours out and forgets them. */
  drain(): LateRange[];
  /** Remembers again what could not be rolled up. */
  restore(ranges: readonly LateRange[]): void;
}

export function createLateHours(): LateHours {
  const byHost = new Map<string, Set<number>>();
  const addHour = (host: string, hour: number): LateRange[] => {
    const hours = byHost.get(host) ?? new Set();
    if (hours.has(hour)) return [];
    hours.add(hour);
    byHost.set(host, hours);
    return [{ host, fromUs: hour * hourUs, toUs: (hour + 1) * hourUs }];
  };
  return {
    add: (batches, lateUs) => {
      const added: LateRange[] = [];
      for (const { series, numbers } of batches) {
        numbers.timeUs.forEach((timeUs, i) => {
          const own = series[numbers.series[i]];
          if (timeUs >= lateUs || isKeptWhole(own, "numbers")) return;
          for (const range of addHour(own.tags.host ?? "", Math.floor(timeUs / hourUs))) added.push(range);
        });
      }
      return added;
    },
    isEmpty: () => byHost.size === 0,
    drain: () => {
      const ranges = [...byHost].flatMap(([host, hours]) => joinHours(host, hours));
      byHost.clear();
      return ranges;
    },
    restore: (ranges) => {
      for (const { host, fromUs, toUs } of ranges) for (let at = fromUs; at < toUs; at += hourUs) addHour(host, at / hourUs);
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
