import { canonicalTags, type Series } from "@fleetmark/shared/model/series";
import type { HostState } from "../fleet/fleet.js";

/**
 * Guards the store against a host whose tags take ever new values: every series costs every store memory for good. A host may bring so many
 * new series in an hour; one is known while it was seen in this hour or the one before. Kept in memory are hashes alone.
 */

/** The series of one host, of this hour and the one before. */
interface SeriesWindow {
  hour: number;
  /** Series of this hour that were not known. */
  fresh: number;
  seen: Set<number>;
  before: Set<number>;
  /** Whether it is known what the store has of the host: after a restart nothing else is. */
  learned: "no" | "asking" | "yes";
}

/** Which series of a dictionary are refused; undefined when none is. */
export type RefusedSeries = readonly boolean[] | undefined;

export interface SeriesGuard {
  /** Judges the series of a dictionary that a host sends. What is known of the host goes when the host's state does. */
  judge(host: Pick<HostState, "host">, series: readonly Series[], nowUs: number): RefusedSeries;
}

const hourUs = 3600e6;
/** How many times the limit a host may keep known, and bring in while the store is asked what it has. */
const tolerance = 10;

/** FNV-1a (Fowler, Noll & Vo), going on from a hash. */
function hashText(text: string, from: number): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ 10, 0x01000193);
}

/**
 * Hashes series to 30 bits: small integers, of which a set takes a third of the memory. Should a new series meet the hash of a known one, it
 * is let in. Neighbours mostly share their tags, which are hashed once then.
 */
function hashAll(series: readonly Series[]): number[] {
  let tags: Series["tags"] | undefined;
  let ofTags = 0;
  return series.map((each) => {
    if (each.tags !== tags) {
      tags = each.tags;
      ofTags = hashText(canonicalTags(tags), 0x811c9dc5);
    }
    const hash = hashText(each.field, hashText(each.measurement, ofTags));
    return (hash ^ (hash >>> 30)) & 0x3fffffff;
  });
}

function turnHour(window: SeriesWindow, hour: number): void {
  if (window.hour === hour) return;
  window.before = window.hour === hour - 1 ? window.seen : new Set();
  window.seen = new Set();
  window.hour = hour;
  window.fresh = 0;
}

/**
 * @param limit new series for each host and hour
 * @param askStore asks the store for the series that it has of a host; undefined when it can't answer. It is asked when a host that was not
 *   asked for yet comes to the limit, and until it answers ten times the limit is let in
 */
export function createSeriesGuard(
  limit: number,
  askStore: (host: string) => Promise<readonly Series[] | undefined>,
): SeriesGuard {
  const windows = new WeakMap<object, SeriesWindow>();
  // The hour for which a dictionary was let in whole: what a host sends again and again is judged once an hour.
  const passed = new WeakMap<readonly Series[], number>();

  const findWindow = (host: object): SeriesWindow => {
    let window = windows.get(host);
    if (window === undefined) {
      window = { hour: 0, fresh: 0, seen: new Set(), before: new Set(), learned: "no" };
      windows.set(host, window);
    }
    return window;
  };

  const learn = async (window: SeriesWindow, host: string): Promise<void> => {
    window.learned = "asking";
    const stored = await askStore(host);
    window.learned = stored === undefined ? "no" : "yes";
    for (const hash of hashAll(stored?.slice(0, limit * tolerance) ?? [])) window.before.add(hash);
    // What was let in meanwhile and had been known all along is not new.
    window.fresh = [...window.seen].filter((hash) => !window.before.has(hash)).length;
  };

  const admits = (window: SeriesWindow, host: string, hash: number): boolean => {
    if (window.seen.has(hash)) return true;
    if (window.seen.size >= limit * tolerance) return false;
    if (!window.before.has(hash)) {
      if (window.fresh >= limit && window.learned === "no") void learn(window, host);
      if (window.fresh >= limit && window.learned === "yes") return false;
      window.fresh++;
    }
    window.seen.add(hash);
    return true;
  };

  return {
    judge: (state, series, nowUs) => {
      const hour = Math.floor(nowUs / hourUs);
      if (passed.get(series) === hour) return undefined;
      const window = findWindow(state);
      turnHour(window, hour);
      const refused = hashAll(series).map((hash) => !admits(window, state.host, hash));
      if (refused.includes(true)) return refused;
      passed.set(series, hour);
      return undefined;
    },
  };
}
