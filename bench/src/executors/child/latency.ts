import { quantile, sortNumbers } from "@fleetmark/shared/stats/quantiles";
import { type ClockFacts, readClock } from "../../machine/clock.js";
import type { Latency } from "../executor.js";
import type { Timer } from "./sample.js";

/** Iterations that are timed singly, and for how many seconds at most. */
const most = { iterations: 20_000, seconds: 0.05 } as const;

/** An iteration must last so many times a reading of the clock to be timed by two of them. */
const clockMargin = 5;

/**
 * Times iterations one by one, less the cost of the clock; undefined where they are too short for it.
 * @param deadlineS seconds within which each is needed
 */
export async function measureLatency(timer: Timer, clock: ClockFacts, deadlineS: number): Promise<Latency | undefined> {
  const times = new Float64Array(most.iterations);
  const end = readClock() + most.seconds;
  let count = 0;
  while (count < times.length && (count === 0 || readClock() < end)) {
    const timed = timer(1);
    times[count++] = Math.max(0, (typeof timed === "number" ? timed : await timed) - clock.costS);
  }
  const sorted = sortNumbers(times.subarray(0, count));
  const p50S = quantile(sorted, 0.5);
  if (p50S < clockMargin * Math.max(clock.costS, clock.resolutionS)) return undefined;
  return {
    iterations: count,
    p50S,
    p99S: quantile(sorted, 0.99),
    p999S: quantile(sorted, 0.999),
    maxS: sorted[count - 1],
    deadlineS,
    missed: sorted.filter((each) => each > deadlineS).length,
  };
}
