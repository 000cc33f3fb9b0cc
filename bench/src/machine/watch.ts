import { type Conditions, compareSnapshots, type Exposure, lookBetween, readConditions, type WindowSeen } from "./disturbance.js";
import type { Snapshot } from "./snapshot.js";

/**
 * A stretch of work under watch: how the machine was when it began and at the last look, and what the windows between
 * looks showed.
 */
export interface Watch {
  readonly first: Snapshot;
  latest: Snapshot;
  readonly windows: WindowSeen[];
}

/** What was seen from begin to end. */
export interface WatchSummary {
  /** Wall seconds, and CPU seconds of the watched process. */
  readonly timedS: number;
  readonly cpuS: number;
  readonly exposure: Exposure;
  readonly conditions: Conditions;
  readonly windows: readonly WindowSeen[];
}

export function beginWatch(first: Snapshot): Watch {
  return { first, latest: first, windows: [] };
}

/** Ends a window, at which the next begins. */
export function addWindow(watch: Watch, look: Snapshot): void {
  watch.windows.push(lookBetween(watch.latest, look));
  watch.latest = look;
}

export function summarizeWatch({ first, windows }: Watch, last: Snapshot): WatchSummary {
  return {
    timedS: last.timeS - first.timeS,
    cpuS: last.ownS - first.ownS,
    exposure: compareSnapshots(first, last),
    conditions: readConditions(first, last),
    windows,
  };
}
