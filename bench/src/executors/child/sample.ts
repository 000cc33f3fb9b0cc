import { readClock } from "../../machine/clock.js";
import type { Iterate } from "../../workloads/workload.js";

/**
 * Where the numbers that iterations return end up, so that no compiler can prove the work useless. The child sends it
 * to its parent, the last link of the chain.
 */
export const sink = new Float64Array(1);

/**
 * Times `iterations` calls in a row; seconds. Nothing but the calls and the sum lies between the two readings of the
 * clock.
 */
export function timeCalls(iterate: () => number, iterations: number): number {
  let sum = 0;
  const started = readClock();
  for (let i = 0; i < iterations; i++) sum += iterate();
  const seconds = readClock() - started;
  sink[0] += sum;
  return seconds;
}

/**
 * Times `iterations` calls, each awaited before the next; seconds. The awaiting itself, about 0.1 µs a call, is
 * included.
 */
export async function timeAwaitedCalls(iterate: () => Promise<number>, iterations: number): Promise<number> {
  let sum = 0;
  const started = readClock();
  for (let i = 0; i < iterations; i++) sum += await iterate();
  const seconds = readClock() - started;
  sink[0] += sum;
  return seconds;
}

/** Times a single call, of either kind, and tells which kind it is. */
export async function timeFirstCall(iterate: Iterate): Promise<{ seconds: number; awaited: boolean }> {
  const started = readClock();
  const returned = iterate();
  const awaited = typeof returned !== "number";
  const value = awaited ? await returned : returned;
  const seconds = readClock() - started;
  sink[0] += value;
  return { seconds, awaited };
}

/** Times calls of work whose kind is known from its first call. */
export type Timer = (iterations: number) => number | Promise<number>;

export function createTimer(iterate: Iterate, awaited: boolean): Timer {
  return awaited
    ? (iterations) => timeAwaitedCalls(iterate as () => Promise<number>, iterations)
    : (iterations) => timeCalls(iterate as () => number, iterations);
}
