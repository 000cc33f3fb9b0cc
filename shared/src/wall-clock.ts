/**
 * Creates a reader of the host's clock in microseconds since the Unix epoch. Node tells it in whole milliseconds; the microseconds come from
 * the steady clock, which is shifted whenever the two disagree, so that steps of the host's clock are followed at once.
 */
export function createWallClock(
  readMs: () => number = Date.now,
  readSteadyMs: () => number = () => performance.now(),
): () => number {
  let shift: number | undefined;
  return () => {
    const steady = readSteadyMs();
    const whole = readMs();
    // The true time lies within the millisecond that the host's clock shows.
    const guess = steady + (shift ?? whole - steady);
    const time = Math.min(Math.max(guess, whole), whole + 0.999);
    shift = time - steady;
    return Math.round(time * 1000);
  };
}
