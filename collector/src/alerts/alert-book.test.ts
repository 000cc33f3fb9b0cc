import type { Breach } from "@fleetmark/shared/alerting/alert";
import type { AlertRecord } from "@fleetmark/shared/records/alert";
import { describe, expect, it } from "vitest";
import { type AlertBook, createAlertBook } from "./alert-book.js";

const makeBreach = (changes: Partial<Breach> = {}): Breach => ({
  name: "Agent down",
  severity: "critical",
  labels: { host: "h1" },
  forS: 30,
  keepS: 60,
  value: 200,
  threshold: 180,
  summary: "No word from h1",
  description: "Look first whether the host itself is up.",
  runbook: "agent-down",
  ...changes,
});

const startUs = 1_700_000_000e6;

/** Advances a book every ten seconds from some round on; returns the transitions. */
function live(book: AlertBook, rounds: readonly (readonly Breach[] | "unknown")[], from = 0): AlertRecord[] {
  return rounds.flatMap((breaches, i) => {
    const moment = { nowUs: startUs + (from + i) * 10e6, elapsedS: 10 };
    const isUnknown = () => breaches === "unknown";
    return book.advance({ breaches: breaches === "unknown" ? [] : breaches, isUnknown }, moment);
  });
}

const times = <T>(count: number, each: T): T[] => Array.from({ length: count }, () => each);
const states = (records: readonly AlertRecord[]): string[] => records.map(({ state }) => state);

describe("the book of alerts", () => {
  it("records every transition with value, threshold and evidence", () => {
    const book = createAlertBook();
    const records = live(book, [...times(5, [makeBreach()]), ...times(7, [])]);
    expect(states(records)).toEqual(["pending", "firing", "resolved"]);
    expect(records[1]).toMatchObject({ alert: "Agent down", host: "h1", value: 200, threshold: 180, since_us: startUs });
    expect(new Set(records.map(({ id }) => id)).size).toBe(1);
    expect(book.resolved()).toMatchObject([{ name: "Agent down", resolvedUs: startUs + 100e6 }]);
  });

  it("tells alerts apart by name and labels, in whatever order labels come", () => {
    const book = createAlertBook();
    const labels = [
      { a: "1", host: "h" },
      { host: "h", a: "1" },
      { host: "h", a: "2" },
    ];
    live(book, [labels.map((each) => makeBreach({ labels: each, forS: 0 }))]);
    expect(book.firing()).toHaveLength(2);
  });

  it("leaves what can't be told as it is", () => {
    const book = createAlertBook();
    live(book, [...times(4, [makeBreach()]), ...times(100, "unknown" as const)]);
    expect(book.firing()).toHaveLength(1);
  });

  it("shows the latest value of what fires", () => {
    const book = createAlertBook();
    live(book, [...times(4, [makeBreach()]), [makeBreach({ value: 999, summary: "still no word" })]]);
    expect(book.firing()).toMatchObject([{ value: 999, summary: "still no word", sinceUs: startUs }]);
  });

  it("goes on where it was from its records, whichever they were", () => {
    const before = createAlertBook();
    const latest = (records: readonly AlertRecord[]) => [...new Map(records.map((record) => [record.id, record])).values()];
    const records = [
      ...live(before, times(4, [makeBreach()])),
      ...live(before, times(2, [makeBreach(), makeBreach({ name: "Clock offset" })]), 4),
    ];
    const after = createAlertBook();
    after.restore(latest(records), startUs + 60e6);
    expect(after.firing()).toMatchObject([{ name: "Agent down", sinceUs: startUs }]);
    expect(after.pending()).toMatchObject([{ name: "Clock offset" }]);
    expect(states(live(after, [[makeBreach(), makeBreach({ name: "Clock offset" })]], 8))).toEqual(["firing"]);
    expect(states(live(after, times(13, []), 9))).toEqual(["resolved", "resolved"]);
  });

  it("remembers for a day what was resolved, and how often it fired", () => {
    const before = createAlertBook();
    const records = live(before, [...times(4, [makeBreach()]), ...times(7, [])]);
    const after = createAlertBook();
    after.restore(records.slice(-1), startUs + 200e6);
    expect(after.resolved()).toHaveLength(1);
    const [fired] = live(after, [[makeBreach({ forS: 0 })]], 20);
    expect(fired?.begins_us).toHaveLength(2);
    const late = createAlertBook();
    late.restore(records.slice(-1), startUs + 2 * 86_400e6);
    expect(late.resolved()).toEqual([]);
  });
});
