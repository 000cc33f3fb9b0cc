/**
 * Sequence numbers as disjoint, non-adjacent closed ranges in rising order: a host's batches arrive almost in order,
 * so one range mostly.
 */
export type SequenceRanges = [first: number, last: number][];

/**
 * Returns the index of the first range that ends at or after the sequence. Searched from the end, where new sequences
 * fall.
 */
function findRange(ranges: SequenceRanges, sequence: number): number {
  let index = ranges.length;
  while (index > 0 && ranges[index - 1][1] >= sequence) index--;
  return index;
}

export function hasSequence(ranges: SequenceRanges, sequence: number): boolean {
  const range = ranges[findRange(ranges, sequence)];
  return range !== undefined && range[0] <= sequence;
}

/** Adds a sequence in place, joining the ranges that it connects. */
export function addSequence(ranges: SequenceRanges, sequence: number): void {
  const index = findRange(ranges, sequence);
  const [before, after] = [ranges[index - 1], ranges[index]];
  if (after !== undefined && after[0] <= sequence) return;
  const joinsBefore = before !== undefined && before[1] === sequence - 1;
  const joinsAfter = after !== undefined && after[0] === sequence + 1;
  if (joinsBefore && joinsAfter) {
    before[1] = after[1];
    ranges.splice(index, 1);
  } else if (joinsBefore) {
    before[1] = sequence;
  } else if (joinsAfter) {
    after[0] = sequence;
  } else {
    ranges.splice(index, 0, [sequence, sequence]);
  }
}
