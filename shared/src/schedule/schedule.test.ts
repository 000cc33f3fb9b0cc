import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCronFault, leastGapS, openCalendar } from "./cron.js";
import { chooseOffset, findDue, findNextStart, patienceMs, type Times } from "./due.js";

const berlin = "Europe/Berlin";
const at = (text: string): number => Date.parse(text);
const utc = (cron: string, offsetMs = 0): Times => ({ calendar: openCalendar({ cron, timeZone: "UTC" }), offsetMs });

describe("a cron line", () => {
  it.each([
    ["30 2 * * *", undefined],
    ["0 3 * * MON#1", undefined],
    ["0 3 L * *", undefined],
    ["@weekly", undefined],
    ["* * * * *", undefined],
  ])("%j is taken", (cron, fault) => {
    expect(findCronFault({ cron, timeZone: berlin }, at("2026-11-27T08:00:00Z"))).toBe(fault);
  });

  it.each([
    ["0 0 30 2 *", "never comes"],
    ["* * * * * *", "more often than once a minute"],
    ["0,30 0 12 * * *", "more often than once a minute"],
    ["61 * * * *", "Invalid value for minute"],
    ["", "is not a cron line"],
    ["daily", "is not a cron line"],
    ["2026-11-27T09:00:00", "is not a cron line"],
  ])("%j is refused, and it is said why", (cron, why) => {
    expect(findCronFault({ cron, timeZone: berlin }, at("2026-11-27T08:00:00Z"))).toContain(why);
  });

  it("of a time zone that does not exist is refused", () => {
    expect(findCronFault({ cron: "0 3 * * *", timeZone: "Mars/Base" }, 0)).toContain('no time zone "Mars/Base"');
  });
});

/** All starts of a schedule while a clock runs, looked at every 15 s; the clock's leaps by when they happen. */
function simulate(times: Times, fromMs: number, hours: number, leaps: readonly { atS: number; byMs: number }[] = []): number[] {
  const starts: number[] = [];
  let handled: number | undefined;
  let leapt = 0;
  for (let s = 0; s < hours * 3600; s += 15) {
    for (const { atS, byMs } of leaps) if (atS > s - 15 && atS <= s) leapt += byMs;
    const due = findDue(times, handled, fromMs + s * 1000 + leapt);
    handled = due.handledMs;
    if (due.latestMs !== undefined) starts.push(due.latestMs);
  }
  return starts;
}

describe("a day", () => {
  const daily: Times = { calendar: openCalendar({ cron: "30 2 * * *", timeZone: berlin }), offsetMs: 0 };

  it("with an hour twice starts once", () => {
    const starts = simulate(daily, at("2026-10-24T12:00:00Z"), 48);
    expect(starts.map((ms) => new Date(ms).toISOString())).toEqual(["2026-10-25T01:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
  });

  it("without the hour starts an hour later, once", () => {
    const starts = simulate(daily, at("2026-03-28T12:00:00Z"), 48);
    expect(starts.map((ms) => new Date(ms).toISOString())).toEqual(["2026-03-29T01:30:00.000Z", "2026-03-30T00:30:00.000Z"]);
  });

  it("in which the clock is set back over the start, or forth, starts once", () => {
    const from = at("2026-11-27T00:00:00Z");
    const start = (at("2026-11-27T01:30:00Z") - from) / 1000;
    for (const byMs of [-3_600_000, -7_200_000, -20 * 3_600_000, 3_600_000, 40_000]) {
      expect(simulate(daily, from, 20, [{ atS: start + 60, byMs }])).toHaveLength(1);
    }
    // A clock that leaps over the start has missed it, and says so.
    const due = findDue(daily, from - 1, from + 10 * 3_600_000);
    expect(due).toMatchObject({ latestMs: at("2026-11-27T01:30:00Z"), isLate: true, missed: 0 });
  });

  it("after a clock that was years ahead goes on", () => {
    const now = at("2026-11-27T00:00:00Z");
    const wrong = findDue(daily, at("2031-01-01T00:00:00Z"), now);
    expect(wrong).toMatchObject({ latestMs: undefined, handledMs: now });
    expect(findDue(daily, wrong.handledMs, at("2026-11-27T01:30:10Z"))).toMatchObject({ isLate: false, missed: 0 });
  });
});

describe("what is due", () => {
  it("is nothing of a schedule that is new", () => {
    const due = findDue(utc("0 3 * * *"), undefined, at("2026-11-27T08:00:00Z"));
    expect(due).toMatchObject({ latestMs: undefined, missed: 0 });
    expect(findNextStart(utc("0 3 * * *", 60_000), due.handledMs)).toBe(at("2026-11-28T03:01:00Z"));
  });

  it("is the latest of those that were missed, and how many came before", () => {
    const due = findDue(utc("0 3 * * *"), at("2026-11-20T03:00:00Z"), at("2026-11-27T08:00:00Z"));
    expect(due).toEqual({
      latestMs: at("2026-11-27T03:00:00Z"),
      isLate: true,
      missed: 6,
      firstMissedMs: at("2026-11-21T03:00:00Z"),
      handledMs: at("2026-11-27T03:00:00Z"),
    });
  });

  it("is found, and not all is counted, after years of a start a minute", () => {
    const now = at("2026-11-27T08:00:30Z");
    const due = findDue(utc("* * * * *"), at("2016-11-27T08:00:00Z"), now);
    expect(due).toMatchObject({ handledMs: at("2026-11-27T08:00:00Z"), isLate: false });
    expect(due.missed).toBeGreaterThan(50);
    expect(due.missed).toBeLessThan(250);
  });

  it("is found after years of starts that come in bursts", () => {
    const due = findDue(utc("* 3 * * *"), at("2016-11-27T03:00:00Z"), at("2026-11-27T01:00:00Z"));
    expect(due).toMatchObject({ handledMs: at("2026-11-26T03:59:00Z"), isLate: true });
  });

  it("is each start exactly once, in order, whatever the clock does within a day", () => {
    const cron = fc.constantFrom("*/20 * * * *", "30 2 * * *", "0 */6 * * *", "15 1,13 * * *");
    const leap = fc.record({
      atS: fc.integer({ min: 0, max: 86_400 }),
      byMs: fc.integer({ min: -12 * 3_600_000, max: 12 * 3_600_000 }),
    });
    const property = fc.property(
      cron,
      fc.array(leap, { maxLength: 4 }),
      fc.integer({ min: 0, max: 600_000 }),
      (line, leaps, offsetMs) => {
        const times: Times = { calendar: openCalendar({ cron: line, timeZone: berlin }), offsetMs };
        const starts = simulate(times, at("2026-10-24T20:00:00Z"), 30, leaps);
        for (const [i, start] of starts.entries()) expect(start).toBeGreaterThan(starts[i - 1] ?? 0);
      },
    );
    fc.assert(property, { numRuns: 30 });
  });

  it("is on time for as long as a look may take", () => {
    const now = at("2026-11-27T03:00:00Z");
    const isLate = (ms: number): boolean => findDue(utc("0 3 * * *"), now - 1000, now + ms).isLate;
    expect([isLate(0), isLate(patienceMs), isLate(patienceMs + 1)]).toEqual([false, false, true]);
    expect(patienceMs).toBeGreaterThan(leastGapS * 1000);
  });
});

it("hosts of a fleet are spread evenly over the jitter, each always at its place", () => {
  const offsets = Array.from({ length: 2000 }, (_, i) => chooseOffset(`gpu-${i}`, "daily", 1800));
  expect(chooseOffset("gpu-7", "daily", 1800)).toBe(offsets[7]);
  expect(chooseOffset("gpu-7", "weekly", 1800)).not.toBe(offsets[7]);
  expect(chooseOffset("gpu-7", "daily", 0)).toBe(0);
  for (let slot = 0; slot < 10; slot++) {
    const within = offsets.filter((ms) => ms >= slot * 180_000 && ms < (slot + 1) * 180_000).length;
    expect(within).toBeGreaterThan(130);
    expect(within).toBeLessThan(280);
  }
});
