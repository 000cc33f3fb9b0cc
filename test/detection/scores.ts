/** How well found changes agree with labelled ones. */
export interface Score {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Mean over labelled segments, by their lengths, of the largest Jaccard index with a found one. */
  readonly cover: number;
}

/** A found change within so many points of a labelled one is right. */
const margin = 5;

/** Each labelled change is matched by at most one found change within the margin. */
function countMatches(found: readonly number[], labelled: readonly number[]): number {
  const left = new Set(found);
  let matches = 0;
  for (const change of labelled) {
    const near = [...left].filter((each) => Math.abs(each - change) <= margin);
    near.sort((a, b) => Math.abs(a - change) - Math.abs(b - change));
    if (near.length === 0) continue;
    left.delete(near[0]);
    matches++;
  }
  return matches;
}

function measureCover(found: readonly number[], labelled: readonly number[], n: number): number {
  const cut = (changes: readonly number[]): [number, number][] =>
    [0, ...changes].map((start, i) => [start, changes[i] ?? n] as [number, number]);
  const predicted = cut(found);
  let sum = 0;
  for (const [start, end] of cut(labelled)) {
    let best = 0;
    for (const [from, to] of predicted) {
      const shared = Math.min(end, to) - Math.max(start, from);
      if (shared > 0) best = Math.max(best, shared / (Math.max(end, to) - Math.min(start, from)));
    }
    sum += (end - start) * best;
  }
  return sum / n;
}

/**
 * Scores changes by F1 with a margin of 5 and by segmentation covering, the start of the series counting as a change
 * that everybody knows: van den Burg & Williams, "An Evaluation of Change Point Detection Algorithms", arXiv:2003.06222
 * (2020), section 3.
 */
export function scoreChanges(found: readonly number[], labelled: readonly number[], n: number): Score {
  const [foundAll, labelledAll] = [
    [0, ...found],
    [0, ...labelled],
  ];
  const matches = countMatches(foundAll, labelledAll);
  const [precision, recall] = [matches / foundAll.length, matches / labelledAll.length];
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall), cover: measureCover(found, labelled, n) };
}
