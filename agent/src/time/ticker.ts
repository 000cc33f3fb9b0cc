import type { Running } from "@fleetmark/shared/lifecycle";

/**
 * Calls `tick` at once and then every `seconds`, in step with the first call. A tick begins only when the one before
 * has ended; those that would have start meanwhile are left out. `tick` must not throw. No tick begins after a stop,
 * which ends with the one under way.
 */
export function startTicker(seconds: number, tick: () => Promise<void>): Running {
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
