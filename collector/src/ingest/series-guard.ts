import { canonicalTags, type Series } from "@fleetmark/shared/model/series";
import type { HostState } from "../fleet/fleet.js";

/**
 * Guards the store against a host whose tags take ever new values: every series costs every store memory for good. A
 * host may bring so many new series in an hour; one is known while it was seen in this hour or the one before. Kept in
 * memory are hashes alone.
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
  /**
   * Judges the series of a dictionary that a host sends. What is known of the host goes when the host's state does.
   */
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
 * Hashes series to 30 bits: small integers, of which a set takes a third of the memory. Should a new series meet the
 * hash of a known one, it is let in. Neighbours mostly share their tags, which are hashed once then.
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

/** What the guard knows. */
interface GuardState {
  /** New series for each host and hour. */
  readonly limit: number;
  readonly askStore: AskStore;
  /** By the host's state, with which it goes. */
  readonly windows: WeakMap<object, SeriesWindow>;
  /** The hour for which a dictionary was let in whole: what a host sends again and again is judged once an hour. */
  readonly passed: WeakMap<readonly Series[], number>;
}

/** Asks the store for the series that it has of a host; undefined when it can't answer. */
type AskStore = (host: string) => Promise<readonly Series[] | undefined>;

function findWindow({ windows }: GuardState, host: object): SeriesWindow {
  let window = windows.get(host);
  if (window === undefined) {
    window = { hour: 0, fresh: 0, seen: new Set(), before: new Set(), learned: "no" };
    windows.set(host, window);
  }
  return window;
}

/** Takes what the store has of a host for known. */
async function learnStored({ limit, askStore }: GuardState, window: SeriesWindow, host: string): Promise<void> {
  window.learned = "asking";
  const stored = await askStore(host);
  window.learned = stored === undefined ? "no" : "yes";
  for (const hash of hashAll(stored?.slice(0, limit * tolerance) ?? [])) window.before.add(hash);
  // What was let in meanwhile and had been known all along is not new.
  window.fresh = [...window.seen].filter((hash) => !window.before.has(hash)).length;
}

/** Whether a series is let in; it is known from then on. */
function admitSeries(state: GuardState, window: SeriesWindow, host: string, hash: number): boolean {
  const { limit } = state;
  if (window.seen.has(hash)) return true;
  if (window.seen.size >= limit * tolerance) return false;
  if (!window.before.has(hash)) {
    if (window.fresh >= limit && window.learned === "no") void learnStored(state, window, host);
    if (window.fresh >= limit && window.learned === "yes") return false;
    window.fresh++;
  }
  window.seen.add(hash);
  return true;
}

/**
 * @param limit new series for each host and hour
 * @param askStore is asked when a host that was not asked for yet comes to the limit; until it answers, ten times the
 *   limit is let in
 */
export function createSeriesGuard(limit: number, askStore: AskStore): SeriesGuard {
  const state: GuardState = { limit, askStore, windows: new WeakMap(), passed: new WeakMap() };
  return {
    judge: (host, series, nowUs) => {
      const hour = Math.floor(nowUs / hourUs);
      if (state.passed.get(series) === hour) return undefined;
      const window = findWindow(state, host);
      turnHour(window, hour);
      const refused = hashAll(series).map((hash) => !admitSeries(state, window, host.host, hash));
      if (refused.includes(true)) return refused;
      state.passed.set(series, hour);
      return undefined;
    },
  };
}
