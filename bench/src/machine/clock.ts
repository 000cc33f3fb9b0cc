/** Returns seconds of a clock that never goes back. Its zero is arbitrary. */
export function readClock(): number {
  return performance.now() / 1e3;
}

export interface ClockFacts {
  /** Smallest step that the clock was seen to make, in seconds. */
  readonly resolutionS: number;
  /** Time that one reading takes, in seconds. */
  readonly costS: number;
}

/** Measures the clock in about a millisecond. */
export function measureClock(): ClockFacts {
  const readings = 20_000;
  let smallest = Number.POSITIVE_INFINITY;
  const started = readClock();
  let last = started;
  for (let i = 0; i < readings; i++) {
    const time = readClock();
    if (time > last && time - last < smallest) smallest = time - last;
    last = time;
  }
  return { resolutionS: smallest, costS: (last - started) / readings };
}
