import { createWallClock } from "@fleetmark/shared/wall-clock";

/** Returns the time as microseconds since the Unix epoch. */
export function readClockUs(): number {
  return Date.now() * 1000;
}

/** Returns the time by a clock that nobody sets, microseconds since the process began. */
export function readSteadyUs(): number {
  return performance.now() * 1000;
}

/**
 * Returns the time as microseconds since the Unix epoch, to the microsecond: for agents that compare their clocks with
 * it.
 */
export const readFineClockUs = createWallClock();
