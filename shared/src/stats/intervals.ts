/** Medians with their intervals, and how they move. */

export interface MedianInterval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * `relative`: as a factor, by logarithms, for positive quantities such as times. `absolute`: as a difference, for any.
 */
export type Scale = "relative" | "absolute";

/** Returns how numbers are taken to the scale on which their deviations are symmetric, and back. */
export function scaleBy(scale: Scale): { project: (value: number) => number; restore: (value: number) => number } {
  if (scale === "relative") return { project: Math.log, restore: Math.exp };
  return { project: (value) => value, restore: (value) => value };
}

/**
 * How the median moved from before to after: after / before − 1 on the relative scale, after − before on the absolute
 * one.
 */
export interface MedianChange {
  readonly before: number;
  readonly after: number;
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Compares two medians of which only the intervals are known, such as stored results: the method of variance estimates
 * recovery, Zou & Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008).
 * The interval of the change has the confidence of the two given.
 * @throws RangeError when a relative change is asked of numbers that are not positive
 */
export function compareIntervals(before: MedianInterval, after: MedianInterval, scale: Scale): MedianChange {
  if (scale === "relative" && Math.min(before.median, after.median) <= 0) {
    throw new RangeError("a relative change needs positive medians");
  }
  // A widened interval of a positive quantity may reach below zero: its logarithm is then as far below as above.
  const { project } = scaleBy(scale);
  const restore = scale === "relative" ? Math.expm1 : (value: number) => value;
  const reach = ({ median: centre, low, high }: MedianInterval): { down: number; up: number } => {
    const up = project(high) - project(centre);
    return { down: scale === "relative" && low <= 0 ? up : project(centre) - project(low), up };
  };
  const difference = project(after.median) - project(before.median);
  const [a, b] = [reach(before), reach(after)];
  return {
    before: before.median,
    after: after.median,
    change: restore(difference),
    low: restore(difference - Math.hypot(b.down, a.up)),
    high: restore(difference + Math.hypot(b.up, a.down)),
  };
}
