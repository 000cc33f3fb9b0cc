import type { Timer } from "./sample.js";

/** A, B, B and A. */
export const blocksPerQuad = 4;

/** One sample of a comparison. */
export interface Quad {
  readonly overheadPercent: number;
  /** Of all four blocks. */
  readonly seconds: number;
}

/**
 * Times baseline (A) and candidate (B) in the order ABBA, every other time BAAB, so that a drift of the machine,
 * linear over the quad, adds to both alike.
 * @param iterations of each of the four blocks
 */
export async function timeQuad(baseline: Timer, candidate: Timer, iterations: number, mirrored: boolean): Promise<Quad> {
  const [outer, inner] = mirrored ? [candidate, baseline] : [baseline, candidate];
  let outerS = await outer(iterations);
  const innerS = (await inner(iterations)) + (await inner(iterations));
  outerS += await outer(iterations);
  const [baselineS, candidateS] = mirrored ? [innerS, outerS] : [outerS, innerS];
  return { overheadPercent: (candidateS / baselineS - 1) * 100, seconds: baselineS + candidateS };
}
