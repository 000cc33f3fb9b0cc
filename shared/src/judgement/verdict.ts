/** What a change is called. `not-steady`: the work has no level that could be compared. */
export const verdicts = ["improved", "unchanged", "regressed", "inconclusive", "not-steady"] as const;
export type Verdict = (typeof verdicts)[number];

/**
 * Changes under this many percent are called nothing, whatever their interval: code layout alone moves times by as
 * much.
 */
const smallestChange = 2;
/** A change whose interval lies within this many percent to either side is none. */
const unchangedWithin = 10;

/**
 * Judges a change by its interval: called where it excludes no change, unchanged where it excludes a change that
 * matters.
 * @param change percent or percentage points, as are the bounds of its interval
 * @param towardsWorse 1 where more is worse, -1 where less is
 */
export function judgeChange(change: number, low: number, high: number, towardsWorse: 1 | -1): Exclude<Verdict, "not-steady"> {
  const [mildest, worst] = towardsWorse === 1 ? [low, high] : [-high, -low];
  const moved = Math.abs(change) >= smallestChange;
  if (moved && mildest > 0) return "regressed";
  if (moved && worst < 0) return "improved";
  return worst < unchangedWithin && mildest > -unchangedWithin ? "unchanged" : "inconclusive";
}
