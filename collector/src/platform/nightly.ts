import type { Running } from "@fleetmark/shared/lifecycle";

const soonMs = 5 * 60_000;
/** Half past two in the morning, by the machine's own clock. */
const night = { hours: 2, minutes: 30 } as const;

/** Returns the milliseconds from a moment to the next night. */
export function findNextNightMs(now: Date): number {
  const next = new Date(now);
  next.setHours(night.hours, night.minutes, 0, 0);
  if (next <= now) next.setDate(next.getDate() + 1);
  return next.getTime() - now.getTime();
}

/**
 * Starts a task that runs once soon, for machines that sleep at night, and every night from then on. Stopping does not
 * wait for one that is under way.
 * @param act never throws
 */
export function startNightly(act: () => Promise<void>): Running {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const wait = (ms: number): void => {
    timer = setTimeout(async () => {
      await act();
      if (!stopped) wait(findNextNightMs(new Date()));
    }, ms);
    timer.unref();
  };
  wait(soonMs);
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
