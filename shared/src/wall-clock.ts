/**
 * Creates a reader of the host's clock in microseconds since the Unix epoch. Node tells it in whole milliseconds, but
 * knows when the process began to the microsecond; from there the steady clock counts on, which NTP slews alike. It is
 * shifted whenever the two disagree, so that steps of the host's clock are followed at once, at first to the
 * millisecond.
 * @param shiftMs what the steady clock lies behind the host's
 */
export function createWallClock(
  readMs: () => number = Date.now,
  readSteadyMs: () => number = () => performance.now(),
  shiftMs: number = performance.timeOrigin,
): () => number {
  let shift = shiftMs;
  return () => {
    let before = readSteadyMs();
    let whole = readMs();
    let steady = readSteadyMs();
    // Stopped between two looks, the process would see a step that never was.
    for (let attempt = 0; steady - before > 0.1 && attempt < 3; attempt++) {
      before = steady;
      whole = readMs();
      steady = readSteadyMs();
    }
    // The true time lies within the millisecond that the host's clock shows.
    const time = Math.min(Math.max(steady + shift, whole), whole + 0.999);
    shift = time - steady;
    return Math.round(time * 1000);
  };
}
