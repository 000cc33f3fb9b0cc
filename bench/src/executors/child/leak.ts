import { fitTrend } from "@fleetmark/shared/stats/trend";
import { readClock } from "../../machine/clock.js";
import type { LeakVerdict } from "../executor.js";
import { collectGarbage } from "./garbage.js";
import type { Timer } from "./sample.js";

/** Rounds of the search for a leak, and how long each should take at least, in seconds. */
const leakRounds = 12;
const leakRoundS = 0.01;

/** Work whose single iteration takes longer is not searched for leaks: the rounds would cost more than the samples. */
const slowestLeakIterationS = 0.05;

/** Runs rounds of work with a collection after each, and judges what the heap does meanwhile. */
export async function searchLeak(timer: Timer, secondsPerIteration: number): Promise<LeakVerdict> {
  const startedS = readClock();
  const perRound = Math.max(1, Math.round(leakRoundS / secondsPerIteration));
  const heaps: number[] = [];
  for (let round = 0; round < leakRounds && secondsPerIteration <= slowestLeakIterationS; round++) {
    await timer(perRound);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    heaps.push(heapUsed + external);
  }
  return { ...judgeLeak(heaps, perRound), tookS: readClock() - startedS };
}

/** Fewest rounds from which a trend is read. */
const fewestLeakRounds = 8;

/** Growth per round under which the runtime's own bookkeeping can't be told from a leak. */
const leastGrowthBytes = 1024;

/**
 * Judges whether work leaks from the heap left after a collection, round after round: its Theil–Sen slope must be over
 * zero with its whole 95 % interval. The first two rounds, where caches fill, are left out.
 * @param heaps bytes of heap and array buffers in use after each round
 */
export function judgeLeak(heaps: readonly number[], iterationsPerRound: number): Omit<LeakVerdict, "tookS"> {
  if (heaps.length < fewestLeakRounds) return { verdict: "unknown", slope: 0, low: 0, high: 0 };
  const settled = heaps.slice(2);
  const { slope, low, high } = fitTrend(
    settled.map((_, i) => i),
    settled,
  );
  const perIteration = (growth: number): number => growth / iterationsPerRound;
  const leaks = low > 0 && slope >= leastGrowthBytes;
  return {
    verdict: leaks ? "yes" : "no",
    slope: perIteration(slope),
    low: perIteration(low),
    high: perIteration(high),
  };
}
