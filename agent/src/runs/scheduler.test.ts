import pino from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunBook, RunBookPages } from "./run-book.js";
import type { RunRequest } from "./run-request.js";
import { type Schedule, startScheduler } from "./scheduler.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const hour = 3_600_000;
const daily: Schedule = {
  name: "daily",
  suite: "quick",
  cron: "30 2 * * *",
  timeZone: "Europe/Berlin",
  jitter: 0,
  missed: "once",
};

function makePages(): RunBookPages {
  return { handled: {}, measured: {}, waiting: [], current: null, answers: [] };
}

/** An agent's schedules, by a clock that can be set; the process can end and be started again on the same book. */
function setUp(schedules: readonly Schedule[], from: string, pages = makePages()) {
  vi.setSystemTime(Date.parse(from));
  let leapt = 0;
  const started: string[] = [];
  const skipped: { outcome: string; count: number; reason: string }[] = [];
  const running: RunRequest[] = [];
  const book: RunBook = { pages, keep: async () => true };
  const start = () =>
    startScheduler({
      host: "h",
      schedules,
      book,
      patienceS: 3600,
      nowMs: () => Date.now() + leapt,
      listRuns: () => running,
      add: (request) => started.push(new Date(request.due_us / 1000).toISOString()),
      recordSkipped: (_, outcome, reason, count) => skipped.push({ outcome, count, reason }),
      logger: pino({ level: "silent" }),
    });
  let scheduler = start();
  return {
    pages,
    started,
    skipped,
    running,
    read: () => scheduler,
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    leap: (ms: number) => {
      leapt += ms;
    },
    restart: async (afterMs: number) => {
      await scheduler.stop();
      await vi.advanceTimersByTimeAsync(afterMs);
      scheduler = start();
    },
  };
}

describe("a schedule", () => {
  it("starts once a day, over both changes of daylight saving", async () => {
    const spring = setUp([daily], "2026-03-27T12:00:00Z");
    await spring.pass(72 * hour);
    await spring.read().stop();
    expect(spring.started).toEqual(["2026-03-28T01:30:00.000Z", "2026-03-29T01:30:00.000Z", "2026-03-30T00:30:00.000Z"]);
    const autumn = setUp([daily], "2026-10-24T12:00:00Z");
    await autumn.pass(48 * hour);
    expect(autumn.started).toEqual(["2026-10-25T01:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
    expect([...spring.skipped, ...autumn.skipped]).toEqual([]);
  });

  it("starts nothing twice when the clock is set back over a start, or the agent is started again", async () => {
    const day = setUp([daily], "2026-11-27T01:00:00Z");
    await day.pass(hour);
    expect(day.started).toHaveLength(1);
    day.leap(-hour);
    await day.pass(2 * hour);
    await day.restart(1000);
    await day.pass(hour);
    expect(day.started).toEqual(["2026-11-27T01:30:00.000Z"]);
    await day.pass(24 * hour);
    expect(day.started).toHaveLength(2);
  });

  it("makes up for the latest of the starts that were missed, and records the others", async () => {
    const away = setUp([daily], "2026-11-20T12:00:00Z");
    await away.restart(72 * hour);
    expect(away.started).toEqual(["2026-11-23T01:30:00.000Z"]);
    expect(away.skipped).toMatchObject([{ outcome: "missed", count: 2 }]);
    await away.pass(hour);
    expect(away.started).toHaveLength(1);
  });

  it("skips what was missed where that is wanted, also when the clock leaps over it", async () => {
    const away = setUp([{ ...daily, missed: "skip" }], "2026-11-20T12:00:00Z");
    await away.restart(72 * hour);
    expect([away.started, away.skipped]).toMatchObject([[], [{ outcome: "missed", count: 3 }]]);
    away.leap(20 * hour);
    await away.pass(hour / 60);
    expect(away.skipped).toMatchObject([{ count: 3 }, { outcome: "missed", count: 1 }]);
    expect(away.started).toEqual([]);
  });

  it("does not start beside a run of the start before", async () => {
    const busy = setUp([{ ...daily, name: "hourly", cron: "0 * * * *" }], "2026-11-27T07:30:00Z");
    const due = { due_us: 1, expires_us: 2, needs_idle: true };
    busy.running.push({ run: "r1", suite: "quick", trigger: "schedule", schedule: "hourly", ...due });
    await busy.pass(hour);
    expect([busy.started, busy.skipped]).toMatchObject([[], [{ outcome: "refused", reason: expect.stringContaining("r1") }]]);
    busy.running.length = 0;
    await busy.pass(hour);
    expect(busy.started).toHaveLength(1);
  });

  it("tells what comes next, how often, and how late it is", async () => {
    const weekly: Schedule = { ...daily, name: "weekly", suite: "full", cron: "30 4 * * SUN" };
    const { read, pages, pass } = setUp([daily, weekly], "2026-11-27T12:00:00Z");
    expect(read().findNext()).toEqual({ suite: "quick", timeUs: Date.parse("2026-11-28T01:30:00Z") * 1000 });
    // Daylight saving makes a week of the hundred to come an hour longer.
    expect([read().findEvery("quick"), read().findEvery("full"), read().findEvery("own")]).toEqual([86_400, 608_400, undefined]);
    expect(read().findLateness()).toBe(0);
    await pass(50 * hour);
    expect(read().findLateness()).toBeCloseTo(50 / 24, 5);
    pages.measured.quick = Date.now();
    expect(read().findLateness()).toBeCloseTo((50 * 3600) / 608_400, 5);
    expect(setUp([], "2026-11-27T12:00:00Z").read().findLateness()).toBeUndefined();
  });
});
