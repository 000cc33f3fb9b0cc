import { createHash } from "node:crypto";
import type { Calendar } from "./cron.js";

/**
 * What a schedule has due at a moment. What was decided before is known by the time on the calendar of the last start
 * that was dealt with: nothing at or before it is due again, whatever the clock does.
 *
 *                       handled                             now
 *     ──────┬───────┬──────┬───────┬────────┬────────┬───────┼──────►
 *                                  └ missed ┘        └ due: on time, or late by more than the patience
 */

/** A schedule as far as its times go. */
export interface Times {
  readonly calendar: Calendar;
  /** How much later than the calendar says this host starts, milliseconds; so a fleet does not start at once. */
  readonly offsetMs: number;
}

/** Starts that are due or were missed. */
export interface Due {
  /** The latest start that is due, milliseconds since the Unix epoch; undefined where none is. */
  readonly latestMs: number | undefined;
  /** Whether the latest comes so late that it was missed itself. */
  readonly isLate: boolean;
  /** Those before it that were missed: how many, and the first. */
  readonly missed: number;
  readonly firstMissedMs: number | undefined;
  /** What is dealt with from now on: keep it before anything is started. */
  readonly handledMs: number;
}

/** Milliseconds that a start may be late and still be on time: a scheduler looks every few seconds. */
export const patienceMs = 90_000;

/** What was dealt with can't lie ahead by more: the clock was wrong when it was. */
const furthestAheadMs = 26 * 3_600_000;

/** Missed starts that are counted one by one. Beyond them the schedule goes on from near the present. */
const mostCounted = 200;

/** Returns a host's place within the jitter, milliseconds: always the same for the host and the schedule. */
export function chooseOffset(host: string, schedule: string, jitterS: number): number {
  const hash = createHash("sha256").update(`${host}\n${schedule}`).digest().readUInt32BE(0);
  return Math.floor((hash / 2 ** 32) * jitterS * 1000);
}

/** Returns the next start after what was dealt with, milliseconds since the Unix epoch. */
export function findNextStart({ calendar, offsetMs }: Times, handledMs: number): number | undefined {
  const next = calendar.next(handledMs);
  return next === undefined ? undefined : next + offsetMs;
}

/** Times to come that are looked at for the longest gap. */
const looked = 100;

/** Returns the longest time between two starts to come, seconds; undefined where no two come. */
export function findLongestGap(calendar: Calendar, nowMs: number): number | undefined {
  let before = calendar.next(nowMs);
  let longest = 0;
  for (let i = 0; i < looked && before !== undefined; i++) {
    const next = calendar.next(before);
    if (next !== undefined) longest = Math.max(longest, next - before);
    before = next;
  }
  return longest === 0 ? undefined : longest / 1000;
}

/** Skips what is too much to count, up to so near the present that some starts are left. */
function skipAhead(calendar: Calendar, fromMs: number, untilMs: number): number {
  let at: number | undefined = fromMs;
  for (let i = 0; i < mostCounted; i++) {
    at = calendar.next(at);
    if (at === undefined || at > untilMs) return fromMs;
  }
  for (let span = (at - fromMs) / 2; untilMs - span > at; span *= 2) {
    const next = calendar.next(untilMs - span);
    if (next !== undefined && next <= untilMs) return untilMs - span;
  }
  return at;
}

/**
 * Finds what is due.
 * @param handledMs the calendar's time of the last start that was dealt with; undefined for a schedule that is new
 */
export function findDue({ calendar, offsetMs }: Times, handledMs: number | undefined, nowMs: number): Due {
  const untilMs = nowMs - offsetMs;
  const nothing = { latestMs: undefined, isLate: false, missed: 0, firstMissedMs: undefined };
  if (handledMs === undefined || handledMs - untilMs > furthestAheadMs) return { ...nothing, handledMs: untilMs };
  const from = skipAhead(calendar, handledMs, untilMs);
  let first: number | undefined;
  let latest: number | undefined;
  let count = 0;
  for (let at = calendar.next(from); at !== undefined && at <= untilMs; at = calendar.next(at)) {
    first ??= at;
    latest = at;
    count++;
  }
  if (first === undefined || latest === undefined) return { ...nothing, handledMs };
  return {
    latestMs: latest + offsetMs,
    isLate: untilMs - latest > patienceMs,
    missed: count - 1,
    firstMissedMs: count > 1 ? first + offsetMs : undefined,
    handledMs: latest,
  };
}
