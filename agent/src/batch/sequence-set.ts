/** A growing set of positive integers that come mostly in order, kept as ranges. */
export interface SequenceSet {
  /** Returns whether the number is new. */
  add(number: number): boolean;
  has(number: number): boolean;
}

export function createSequenceSet(): SequenceSet {
  /** Disjoint, ascending, never touching. */
  const ranges: [first: number, last: number][] = [];

  /** Returns the index of the last range that begins at or before the number, or -1. */
  const findIndex = (number: number): number => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle][0] <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  const holds = (index: number, number: number): boolean => index >= 0 && number <= ranges[index][1];

  return {
    has: (number) => holds(findIndex(number), number),
    add(number) {
      const index = findIndex(number);
      if (holds(index, number)) return false;
      const extendsBefore = index >= 0 && ranges[index][1] === number - 1;
      const meetsAfter = ranges[index + 1]?.[0] === number + 1;
      if (extendsBefore && meetsAfter) {
        ranges[index][1] = ranges[index + 1][1];
        ranges.splice(index + 1, 1);
      } else if (extendsBefore) ranges[index][1] = number;
      else if (meetsAfter) ranges[index + 1][0] = number;
      else ranges.splice(index + 1, 0, [number, number]);
      return true;
    },
  };
}
