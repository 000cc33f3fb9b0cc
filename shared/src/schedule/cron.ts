import { Cron } from "croner";

/**
 * When something recurs, as cron writes it (crontab(5): minute, hour, day of month, month, day of week), in a time
 * zone. Times are those of the wall: where daylight saving leaves an hour out, what was due in it falls on the hour
 * after; where it repeats one, what is due in it falls into the repetition alone.
 */
export interface Recurrence {
  readonly cron: string;
  /** A name of the IANA time zone database; undefined for the host's own. */
  readonly timeZone: string | undefined;
}

/** Seconds between two starts at the least. */
export const leastGapS = 60;

/** How many times to come are looked at for the least gap. */
const looked = 200;

function open({ cron, timeZone }: Recurrence): Cron {
  // The library takes a moment too, which does not recur.
  if (/^\s*\d+-\d+-\d+/.test(cron)) throw new Error("a date recurs never");
  return new Cron(cron, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) });
}

/** Tells the times of a recurrence. */
export interface Calendar {
  /** The first time after one, both in milliseconds since the Unix epoch; undefined where none comes any more. */
  next(afterMs: number): number | undefined;
}

/** @throws Error where it is no recurrence */
export function openCalendar(recurrence: Recurrence): Calendar {
  const cron = open(recurrence);
  // Working a time out takes .4 ms, and who waits asks the same again and again.
  let asked: { readonly afterMs: number; readonly nextMs: number | undefined } | undefined;
  return {
    next: (afterMs) => {
      if (asked?.afterMs !== afterMs) asked = { afterMs, nextMs: cron.nextRun(new Date(afterMs))?.getTime() };
      return asked.nextMs;
    },
  };
}

/** Says what is wrong with a recurrence that something is to start by; undefined where nothing is. */
export function findCronFault(recurrence: Recurrence, nowMs: number): string | undefined {
  const { cron, timeZone } = recurrence;
  let calendar: Calendar;
  try {
    calendar = openCalendar(recurrence);
    calendar.next(nowMs);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (/time zone/i.test(message))
      return `there is no time zone ${JSON.stringify(timeZone)}; they are named as in Europe/Berlin`;
    const why = message.replace(/^CronPattern: /, "");
    return `${JSON.stringify(cron)} is not a cron line such as "30 2 * * *" (minute hour day month weekday): ${why}`;
  }
  let before = calendar.next(nowMs);
  if (before === undefined) return `${JSON.stringify(cron)} never comes`;
  for (let i = 0; i < looked; i++) {
    const next = calendar.next(before);
    if (next === undefined) return undefined;
    if (next - before < leastGapS * 1000) return `${JSON.stringify(cron)} comes more often than once a minute`;
    before = next;
  }
  return undefined;
}
