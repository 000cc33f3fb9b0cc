import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { openCalendar, type Recurrence } from "@fleetmark/shared/schedule/cron";
import { chooseOffset, type Due, findDue, findLongestGap, findNextStart, type Times } from "@fleetmark/shared/schedule/due";
import type { RunBook } from "./run-book.js";
import type { RunRequest } from "./run-request.js";

/** A suite that runs again and again. */
export interface Schedule extends Recurrence {
  readonly name: string;
  readonly suite: string;
  /** Seconds over which the hosts of a fleet are spread. */
  readonly jitter: number;
  /** What becomes of starts that were missed: the latest is made up for, or none. */
  readonly missed: "once" | "skip";
}

export interface SchedulerOptions {
  readonly host: string;
  readonly schedules: readonly Schedule[];
  readonly book: RunBook;
  /** Seconds for which a run waits until the host is free. */
  readonly patienceS: number;
  readonly nowMs: () => number;
  /** What is waiting and under way. */
  readonly listRuns: () => readonly RunRequest[];
  readonly add: (request: RunRequest) => void;
  /** Records starts that were missed or refused. */
  readonly recordSkipped: (request: RunRequest, outcome: "missed" | "refused", reason: string, count: number) => void;
  readonly logger: Logger;
}

/** The next start of any schedule. */
export interface NextStart {
  readonly suite: string;
  /** Microseconds since the Unix epoch. */
  readonly timeUs: number;
}

export interface Scheduler extends Running {
  findNext(): NextStart | undefined;
  /** Longest time between two starts of a suite, seconds; undefined where it has no schedule. */
  findEvery(suite: string): number | undefined;
  /**
   * How late the latest suite is: the time since it was last measured to its end, over that of its schedule. Over 2,
   * its figures say how fast the host was. Undefined without a schedule.
   */
  findLateness(): number | undefined;
}

/** Seconds between two looks at the clock, which may leap; short beside what a start may be late. */
const lookEveryS = 10;

interface Planned extends Schedule {
  readonly times: Times;
  /** Seconds. */
  readonly everyS: number | undefined;
}

function makeRequest({ patienceS }: SchedulerOptions, { name, suite }: Schedule, dueMs: number, nowMs: number): RunRequest {
  return {
    run: createRunId(nowMs),
    suite,
    trigger: "schedule",
    schedule: name,
    due_us: Math.round(dueMs * 1000),
    expires_us: Math.round((nowMs + patienceS * 1000) * 1000),
    needs_idle: true,
  };
}

function recordMissed(options: SchedulerOptions, planned: Planned, due: Due, nowMs: number): void {
  const isSkipped = due.isLate && planned.missed === "skip";
  const count = due.missed + (isSkipped ? 1 : 0);
  if (count === 0) return;
  const first = due.firstMissedMs ?? due.latestMs ?? nowMs;
  const made = isSkipped ? "" : "; the latest is made up for";
  const reason = `the agent was not running, or the host's clock leapt${made}`;
  options.recordSkipped(makeRequest(options, planned, first, nowMs), "missed", reason, count);
}

/** Deals with what is due of a schedule. Returns whether anything changed. */
function deal(options: SchedulerOptions, planned: Planned): boolean {
  const { book, listRuns, logger } = options;
  const nowMs = options.nowMs();
  const handled = book.pages.handled[planned.name];
  const due = findDue(planned.times, handled, nowMs);
  if (due.handledMs === handled) return false;
  if (handled !== undefined && due.handledMs < handled) logger.warn({ event: "schedule_reset", schedule: planned.name });
  book.pages.handled[planned.name] = due.handledMs;
  if (due.latestMs === undefined) return true;
  recordMissed(options, planned, due, nowMs);
  if (due.isLate && planned.missed === "skip") return true;
  const request = makeRequest(options, planned, due.latestMs, nowMs);
  const elder = listRuns().find(({ schedule }) => schedule === planned.name);
  if (elder === undefined) options.add(request);
  else options.recordSkipped(request, "refused", `run ${elder.run} of the start before has not ended`, 1);
  return true;
}

/** Starts what is due, as long as it runs. */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const { host, book } = options;
  const planned = options.schedules.map((schedule): Planned => {
    const offsetMs = chooseOffset(host, schedule.name, schedule.jitter);
    const calendar = openCalendar(schedule);
    return { ...schedule, times: { calendar, offsetMs }, everyS: findLongestGap(calendar, options.nowMs()) };
  });
  const findNext = (): NextStart | undefined => {
    const starts = planned.flatMap(({ suite, name, times }) => {
      const next = findNextStart(times, book.pages.handled[name] ?? options.nowMs());
      return next === undefined ? [] : [{ suite, timeUs: Math.round(next * 1000) }];
    });
    return starts.sort((a, b) => a.timeUs - b.timeUs)[0];
  };
  const findEvery = (suite: string): number | undefined => {
    const every = planned.flatMap((each) => (each.suite === suite && each.everyS !== undefined ? [each.everyS] : []));
    return every.length === 0 ? undefined : Math.min(...every);
  };
  const { measured } = book.pages;
  // A suite that is new here is late from now on.
  for (const { suite } of planned) measured[suite] ??= options.nowMs();
  const findLateness = (): number | undefined => {
    const now = options.nowMs();
    const late = planned.flatMap(({ suite }) => {
      const everyS = findEvery(suite);
      return everyS === undefined ? [] : [Math.max(0, now - measured[suite]) / 1000 / everyS];
    });
    return late.length === 0 ? undefined : Math.max(...late);
  };
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    // Each is to be dealt with, whatever the others come to.
    const changed = planned.map((each) => deal(options, each)).some((isChanged) => isChanged);
    if (changed) void book.keep();
    const next = findNext();
    const waitMs = next === undefined ? lookEveryS * 1000 : next.timeUs / 1000 - options.nowMs();
    timer = setTimeout(look, Math.min(lookEveryS * 1000, Math.max(20, waitMs)));
  };
  if (planned.length > 0) look();
  return { findNext, findEvery, findLateness, stop: async () => clearTimeout(timer) };
}
