/** What the host's two clocks show at one moment, microseconds. */
export interface ClockReading {
  /** Since the Unix epoch; people and NTP may set it. */
  readonly wallUs: number;
  /** Since some moment; it never steps. */
  readonly steadyUs: number;
}

/** What a clock must know of the one before it, so that no time is stamped twice across a restart. */
export interface ClockState {
  /** The last time that was stamped; 0 before the first. */
  readonly lastUs: number;
  /** How often the clock was set back for good. */
  readonly generation: number;
}

/** Gives event times. */
export interface Clock {
  /**
   * Returns the time for what happens now, microseconds since the Unix epoch. Each is above all before it, but for a
   * reset.
   */
  stamp(): number;
  readonly state: ClockState;
  /** Steps of the host's clock that were noticed. */
  readonly steps: number;
}

/** What became of a step: followed at once, waited for at half speed, or taken as the truth though it lies behind. */
export type StepAnswer = "followed" | "slewed" | "reset";

export interface ClockOptions {
  /** Reads both clocks at one moment. */
  readonly read: () => ClockReading;
  readonly before?: ClockState;
  /** Told of every step of the host's clock. */
  onStep?(stepUs: number, answer: StepAnswer): void;
}

/** Apart by less, the two clocks only drift: NTP slews by up to 500 ppm, which is 5 ms between two samples. */
export const leastStepUs = 250_000;

/**
 * A clock that went back by more was badly wrong before, and waiting for it would stamp wrong times for longer than
 * the step; a collector refuses what is stamped over an hour ahead of it anyway.
 */
export const largestSlewUs = 75 * 60e6;

const millisecond = 1000;
/**
 * Times are whole milliseconds plus the generation in microseconds, so that two generations never stamp the same one.
 */
const generations = 1000;

/**
 * Creates a clock that follows the host's but never stamps a time twice, and never goes back while the host's clock
 * is set back by up to 75 minutes: it goes on at half speed until the host's has caught up. Resolution: 1 ms.
 */
export function createClock({ read, before = { lastUs: 0, generation: 0 }, onStep }: ClockOptions): Clock {
  let { lastUs, generation } = before;
  let steps = 0;
  let previous: ClockReading | undefined;

  /**
   * Returns the step of the host's clock since the reading before; across a restart, how far it lies behind what was
   * stamped.
   */
  const measureStep = (now: ClockReading): number => {
    if (previous === undefined) return Math.min(0, now.wallUs - lastUs);
    return now.wallUs - previous.wallUs - (now.steadyUs - previous.steadyUs);
  };

  const stamp = (): number => {
    const now = read();
    const elapsed = previous === undefined ? 0 : Math.max(0, now.steadyUs - previous.steadyUs);
    const step = measureStep(now);
    previous = now;
    const isReset = lastUs - now.wallUs > largestSlewUs;
    const isSlewing = !isReset && now.wallUs <= lastUs;
    if (isReset) generation = (generation + 1) % generations;
    const target = isReset ? now.wallUs : Math.max(now.wallUs, lastUs + elapsed / 2);
    let stampedUs = Math.floor(target / millisecond) * millisecond + generation;
    if (!isReset && stampedUs <= lastUs) stampedUs += millisecond * Math.ceil((lastUs - stampedUs + 1) / millisecond);
    lastUs = stampedUs;
    if (Math.abs(step) >= leastStepUs) {
      steps++;
      onStep?.(step, isReset ? "reset" : isSlewing ? "slewed" : "followed");
    }
    return stampedUs;
  };

  return {
    stamp,
    get state() {
      return { lastUs, generation };
    },
    get steps() {
      return steps;
    },
  };
}

/**
 * Reads this host's clocks. A process that was stopped between its two looks would see a step that never was, so it
 * looks again.
 */
export function readHostClocks(): ClockReading {
  for (let attempt = 0; ; attempt++) {
    const begin = performance.now();
    const wallMs = Date.now();
    const end = performance.now();
    if (end - begin < 5 || attempt === 3) return { wallUs: wallMs * 1000, steadyUs: end * 1000 };
  }
}
