import { canonicalTags, type Series } from "@fleetmark/shared/model/series";
import type { HostState } from "../fleet/fleet.js";

/**
 * Guards the store against a host whose tags take ever new values: every series costs every store memory for good. A
 * host may bring so many new series in an hour, and have so many in all; one is known while it was seen in this hour or
 * the one before. Kept in memory are hashes alone.
 */

export interface SeriesBounds {
  /** New series of a host in an hour. */
  readonly newPerHour: number;
  /** Series of a host in the store. */
  readonly perHost: number;
}

/** What is known of the series of one host. */
interface SeriesWindow {
  hour: number;
  /** Series of this hour that were not known. */
  fresh: number;
  /**
   * Those of this hour and of the one before, while it is not known what the store has, for after a restart nothing is;
   * from then on those of them that are new.
   */
  seen: Set<number>;
  before: Set<number>;
  /** How many came in as new meanwhile; those that the host brings again after hours are counted again. */
  admitted: number;
  /** All that the store has or will have of the host, once it was asked. */
  stored: Set<number> | undefined;
  isAsking: boolean;
  /** The hour in which it was asked last. */
  askedHour: number;
  /** Series that came in beyond the limit, for the store may have them. */
  onTrust: number;
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

function turnHour(state: GuardState, window: SeriesWindow, hour: number): void {
  if (window.hour === hour) return;
  endTrust(state, window);
  window.before = window.hour === hour - 1 ? window.seen : new Set();
  window.seen = new Set();
  window.hour = hour;
  window.fresh = 0;
}

/** What the guard knows. */
interface GuardState {
  readonly bounds: SeriesBounds;
  /** Series of all hosts that came in beyond their limit in this hour, until the store has said whether it has them. */
  onTrust: number;
  hour: number;
  readonly askStore: AskStore;
  /** By the host's state, with which it goes. */
  readonly windows: WeakMap<object, SeriesWindow>;
  /** The hour for which a dictionary was let in whole: what a host sends again and again is judged once an hour. */
  readonly passed: WeakMap<readonly Series[], number>;
}

/** Asks the store for the series that it has of a host; undefined when it can't answer. */
type AskStore = (host: string) => Promise<readonly Series[] | undefined>;

function createWindow(): SeriesWindow {
  const [seen, before] = [new Set<number>(), new Set<number>()];
  return { hour: 0, fresh: 0, seen, before, admitted: 0, stored: undefined, isAsking: false, askedHour: -1, onTrust: 0 };
}

function findWindow({ windows }: GuardState, host: object): SeriesWindow {
  let window = windows.get(host);
  if (window === undefined) {
    window = createWindow();
    windows.set(host, window);
  }
  return window;
}

/** Gives back what a host was trusted with; that of an hour before is given back already. */
function endTrust(state: GuardState, window: SeriesWindow): void {
  if (window.hour === state.hour) state.onTrust -= window.onTrust;
  window.onTrust = 0;
}

/** Takes what the store has of a host for known, and with it what came in meanwhile. */
async function learnStored(state: GuardState, window: SeriesWindow, host: string): Promise<void> {
  window.isAsking = true;
  window.askedHour = window.hour;
  const answer = await state.askStore(host);
  window.isAsking = false;
  if (answer === undefined) return;
  endTrust(state, window);
  const stored = new Set(hashAll(answer));
  // What had been known all along is not new.
  if (window.stored === undefined)
    window.fresh = [...window.seen].filter((hash) => !window.before.has(hash) && !stored.has(hash)).length;
  for (const hash of [...window.seen, ...window.before]) stored.add(hash);
  window.stored = stored;
  window.seen = new Set();
  window.before = new Set();
}

/** Judges a series by what came in of late. */
function admitByWindow(state: GuardState, window: SeriesWindow, host: string, hash: number): boolean {
  const { bounds } = state;
  if (window.seen.has(hash)) return true;
  if (window.seen.size >= bounds.perHost) return false;
  if (!window.before.has(hash)) {
    const isOver = window.fresh >= bounds.newPerHour || window.admitted >= bounds.newPerHour;
    if (isOver && !window.isAsking) void learnStored(state, window, host);
    if (window.fresh >= bounds.newPerHour) {
      if (state.onTrust >= bounds.perHost) return false;
      state.onTrust++;
      window.onTrust++;
    }
    window.fresh++;
    window.admitted++;
  }
  window.seen.add(hash);
  return true;
}

/** Judges a series by what the store has. */
function admitByStore(state: GuardState, window: SeriesWindow, stored: Set<number>, host: string, hash: number): boolean {
  const { bounds } = state;
  if (stored.has(hash)) return true;
  if (window.fresh >= bounds.newPerHour) return false;
  if (stored.size >= bounds.perHost) {
    // A store may forget series too.
    if (!window.isAsking && window.askedHour !== window.hour) void learnStored(state, window, host);
    return false;
  }
  window.fresh++;
  // It may be on its way still when the store is asked next.
  window.seen.add(hash);
  stored.add(hash);
  return true;
}

/** Whether a series is let in; it is known from then on. */
function admitSeries(state: GuardState, window: SeriesWindow, host: string, hash: number): boolean {
  const { stored } = window;
  return stored === undefined ? admitByWindow(state, window, host, hash) : admitByStore(state, window, stored, host, hash);
}

/**
 * @param askStore is asked when a host that was not asked for yet comes to its limit; until it answers, the hosts that
 *   wait for it may bring in as many as one host may have, together
 */
export function createSeriesGuard(bounds: SeriesBounds, askStore: AskStore): SeriesGuard {
  const state: GuardState = { bounds, onTrust: 0, hour: 0, askStore, windows: new WeakMap(), passed: new WeakMap() };
  return {
    judge: (host, series, nowUs) => {
      const hour = Math.floor(nowUs / hourUs);
      if (state.passed.get(series) === hour) return undefined;
      if (state.hour !== hour) Object.assign(state, { hour, onTrust: 0 });
      const window = findWindow(state, host);
      turnHour(state, window, hour);
      const refused = hashAll(series).map((hash) => !admitSeries(state, window, host.host, hash));
      if (refused.includes(true)) return refused;
      state.passed.set(series, hour);
      return undefined;
    },
  };
}
