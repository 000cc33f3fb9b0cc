import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeDirectory } from "../../test/support.js";
import { keepAll, type Retention } from "./retention.js";
import {
  type ClockEvidence,
  decideRetention,
  giveConsent,
  type RetentionMemory,
  readRetentionMemory,
  takeConsent,
  writeRetentionMemory,
} from "./retention-guard.js";

const dayUs = 86_400e6;
const nowUs = 20_000 * dayUs;
const keep: Retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };
const silent: ClockEvidence = { dispute: undefined, agreeing: 0, heardUs: undefined };
const remember = (daysAgo: number, more: Partial<RetentionMemory> = {}): RetentionMemory => {
  return { lastUs: nowUs - daysAgo * dayUs, keep, held: null, ...more };
};

const decide = (memory: RetentionMemory | undefined, evidence: Partial<ClockEvidence> = {}, now = keep) =>
  decideRetention(nowUs, now, memory, { ...silent, ...evidence });

describe("what is past its time", () => {
  it("goes after a night like any other, and where nothing is known of before", () => {
    expect(decide(remember(1))).toEqual({ kind: "go" });
    expect(decide(undefined)).toEqual({ kind: "go" });
    expect(decide(undefined, { heardUs: nowUs - 7 * dayUs })).toEqual({ kind: "go" });
  });

  it("stays while most hosts contradict the clock", () => {
    expect(decide(remember(1), { dispute: "off by a year", agreeing: 3 })).toEqual({ kind: "hold", reason: "off by a year" });
  });

  it("stays after a leap of the clock, until a host on another machine confirms it", () => {
    const reason = "the clock is 500 days past the last roll-up, and no host on another machine confirms it";
    expect(decide(remember(500))).toEqual({ kind: "hold", reason });
    expect(decide(remember(500), { agreeing: 1 })).toEqual({ kind: "go" });
    expect(decide(undefined, { heardUs: nowUs - 500 * dayUs })).toMatchObject({ kind: "hold" });
  });

  it("goes once the clock has gone on evenly for a week", () => {
    const held = (days: number) => ({ sinceUs: nowUs - days * dayUs, reason: "" });
    expect(decide(remember(500, { held: held(6.9) }))).toMatchObject({ kind: "hold" });
    expect(decide(remember(500, { held: held(7) }))).toEqual({ kind: "go" });
  });

  it("stays where a time was shortened by more than a night takes, whoever confirms the clock", () => {
    const shorter = { ...keep, raw: 4 * 86_400 };
    const reason = "store.retention.raw was shortened from 30d to 4d: more would go than a night takes";
    expect(decide(remember(1), { agreeing: 9 }, shorter)).toEqual({ kind: "hold", reason });
    expect(decide(remember(1, { keep: keepAll }), {}, keep)).toMatchObject({ kind: "hold" });
    expect(decide(remember(1, { keep: { ...keep, raw: 38 * 86_400 } }), {}, keep)).toEqual({ kind: "go" });
  });
});

describe("what is remembered", () => {
  it("is read back, without end where it has none", async () => {
    const directory = makeDirectory();
    expect(await readRetentionMemory(directory)).toBeUndefined();
    const memory = remember(1, { keep: keepAll, held: { sinceUs: 5, reason: "why" } });
    await writeRetentionMemory(directory, memory);
    expect(await readRetentionMemory(directory)).toEqual(memory);
  });

  it("is nothing where the file makes no sense", async () => {
    const directory = makeDirectory();
    for (const text of ["", "{", "[]", '{"last_us":-1}']) {
      writeFileSync(join(directory, "retention.json"), text);
      expect(await readRetentionMemory(directory)).toBeUndefined();
    }
  });

  it("gives a consent once", async () => {
    const directory = makeDirectory();
    expect(await takeConsent(directory)).toBe(false);
    await giveConsent(directory);
    expect([await takeConsent(directory), await takeConsent(directory)]).toEqual([true, false]);
    await giveConsent(directory);
    utimesSync(join(directory, "retention.yes"), 1e9, 1e9);
    expect(await takeConsent(directory)).toBe(false);
  });
});
