import { createRandom, type Random } from "../src/stats/random.js";

/** Draws a standard normal number by Box & Muller (1958). */
export function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Returns n numbers of variance 1 of which each depends on the one before by the correlation. */
export function simulateAr1(seed: number, n: number, correlation: number): number[] {
  const random = createRandom(seed);
  let value = drawNormal(random);
  return Array.from({ length: n }, () => {
    value = correlation * value + Math.sqrt(1 - correlation ** 2) * drawNormal(random);
    return value;
  });
}

/**
 * Returns process runs of samples around 100 that differ between runs and within them by the standard deviations given.
 */
export function simulateRuns(seed: number, runs: number, samples: number, between: number, within: number): number[][] {
  const random = createRandom(seed);
  return Array.from({ length: runs }, () => {
    const level = 100 + between * drawNormal(random);
    return Array.from({ length: samples }, () => level + within * drawNormal(random));
  });
}
