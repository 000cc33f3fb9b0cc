import { rankValues } from "./autocorrelation.js";
import { normalCdf } from "./distributions.js";
import { fitTrend } from "./trend.js";

/** Whether numbers rise or fall in time, by how often later ones are larger. */
export interface TrendTest {
  /** Kendall's τ between order and value, from −1 to 1. */
  readonly tau: number;
  /** Two-sided. */
  readonly p: number;
  /** By how much correlation of neighbours widens what chance does: 1 where there is none. */
  readonly inflation: number;
}

/** Numbers of fewer values are not told from chance. */
const fewest = 4;

/** Correlations further from zero than this many standard errors count. */
const significant = 1.96;

/** Autocorrelation of ranks at a lag. */
function correlateRanks(ranks: Float64Array, lag: number): number {
  const centre = (ranks.length - 1) / 2;
  let [products, squares] = [0, 0];
  for (let i = 0; i < ranks.length; i++) {
    squares += (ranks[i] - centre) ** 2;
    if (i >= lag) products += (ranks[i] - centre) * (ranks[i - lag] - centre);
  }
  return squares === 0 ? 0 : products / squares;
}

/**
 * The factor by which correlated values widen the variance of S: Hamed & Rao, "A modified Mann-Kendall trend test for
 * autocorrelated data", Journal of Hydrology 204 (1998), eq. 14, of the ranks of what a Theil–Sen line leaves.
 */
function measureInflation(values: readonly number[]): number {
  const n = values.length;
  const places = values.map((_, i) => i);
  const { slope } = fitTrend(places, values);
  const ranks = rankValues(values.map((value, i) => value - slope * i));
  let sum = 0;
  for (let lag = 1; lag <= n - 3; lag++) {
    const correlation = correlateRanks(ranks, lag);
    if (Math.abs(correlation) > significant / Math.sqrt(n)) sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation;
  }
  return Math.max(1, 1 + (2 / (n * (n - 1) * (n - 2))) * sum);
}

/**
 * Tests whether there is a trend: Mann (1945) and Kendall (1975), with ties, by the normal approximation with
 * continuity correction, and corrected for autocorrelation.
 * @param values finite numbers in order of time; of fewer than four nothing can be told
 */
export function testTrend(values: readonly number[]): TrendTest {
  const n = values.length;
  if (n < fewest) return { tau: 0, p: 1, inflation: 1 };
  let s = 0;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) s += Math.sign(values[j] - values[i]);
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let ties = 0;
  for (const count of counts.values()) ties += count * (count - 1) * (2 * count + 5);
  const inflation = measureInflation(values);
  const variance = ((n * (n - 1) * (2 * n + 5) - ties) / 18) * inflation;
  const z = variance === 0 ? 0 : Math.max(0, Math.abs(s) - 1) / Math.sqrt(variance);
  return { tau: (2 * s) / (n * (n - 1)), p: Math.min(1, 2 * (1 - normalCdf(z))), inflation };
}
