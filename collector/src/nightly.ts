/** A task that runs once soon after its start, for machines that sleep at night, and every night from then on. */
export interface Nightly {
  close(): void;
}

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

/** @param act never throws */
export function runNightly(act: () => Promise<void>): Nightly {
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const wait = (ms: number): void => {
    timer = setTimeout(async () => {
      await act();
      if (!isClosed) wait(findNextNightMs(new Date()));
    }, ms);
    timer.unref();
  };
  wait(soonMs);
  return {
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
