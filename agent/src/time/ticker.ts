/** A loop that is under way. */
export interface Ticker {
  /** No tick begins after this. Resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/**
 * Calls `tick` at once and then every `seconds`, in step with the first call. A tick begins only when the one before has ended;
 * those that would have start meanwhile are left out. `tick` must not throw.
 */
export function startTicker(seconds: number, tick: () => Promise<void>): Ticker {
  const begin = performance.now();
  const period = seconds * 1000;
  let count = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  const run = async (): Promise<void> => {
    await tick();
    if (stopped) return;
    const elapsed = performance.now() - begin;
    // A timer may fire a little early, so the next tick is counted from this one and not read off the clock alone.
    count = Math.max(count + 1, Math.ceil(elapsed / period));
    timer = setTimeout(start, Math.ceil(count * period - elapsed));
  };
  const start = (): void => {
    current = run();
  };
  start();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      return current;
    },
  };
}
