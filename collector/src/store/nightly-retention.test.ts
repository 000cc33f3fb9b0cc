import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildBatch, makeDirectory } from "../../test/support.js";
import { openStore } from "./duckdb/duckdb.js";
import { type NightlyRetention, startNightlyRetention } from "./nightly-retention.js";
import type { Retention } from "./retention.js";
import { type ClockEvidence, giveConsent, readRetentionMemory } from "./retention-guard.js";
import type { Store } from "./store.js";

const dayUs = 86_400e6;
const startUs = 20_000 * dayUs;
const keep: Retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };

/** A collector's nights, by a clock that is set as wanted. */
interface Nights {
  readonly store: Store;
  readonly retention: NightlyRetention;
  readonly directory: string;
  readonly held: boolean[];
  nowUs: number;
  evidence: ClockEvidence;
  /** Lets a day pass, on all clocks. */
  night(): Promise<void>;
  countLeft(): Promise<number>;
}

const open: Nights[] = [];

async function start(): Promise<Nights> {
  const directory = makeDirectory();
  const store = await openStore(directory, keep);
  const points = Array.from({ length: 20 }, (_, day) => {
    return { measurement: "cpu", tags: {}, timeUs: startUs - day * dayUs, fields: { x: day } };
  });
  await store.write([buildBatch(1, points)], startUs);
  const held: boolean[] = [];
  const nights: Nights = {
    store,
    directory,
    held,
    nowUs: startUs,
    evidence: { dispute: undefined, agreeing: 0, heardUs: startUs },
    retention: startNightlyRetention({
      store,
      dataDir: directory,
      keep,
      readClockUs: () => nights.nowUs,
      findEvidence: () => nights.evidence,
      onHeld: (isHeld) => held.push(isHeld),
      logger: pino({ level: "silent" }),
    }),
    night: async () => {
      nights.nowUs += dayUs;
      const before = held.length;
      await vi.advanceTimersByTimeAsync(86_400_000);
      // Once it is over the next one is set, beside the looks for a consent.
      await vi.waitUntil(() => held.length > before && vi.getTimerCount() === 2, { timeout: 10_000 });
    },
    countLeft: async () => (await store.planRetention(nights.nowUs))?.samples ?? 0,
  };
  open.push(nights);
  return nights;
}

describe("the nights of a collector", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: startUs / 1000, toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    for (const { retention, store } of open.splice(0)) {
      await retention.stop();
      await store.close();
    }
  });

  it("take a day's worth each", async () => {
    const nights = await start();
    nights.nowUs += 15 * dayUs;
    nights.evidence = { ...nights.evidence, agreeing: 1 };
    await nights.night();
    expect(await nights.countLeft()).toBe(15);
    await nights.night();
    expect([await nights.countLeft(), nights.held.includes(true)]).toEqual([14, false]);
  });

  it("take nothing after a leap of 500 days, until a person allows it", async () => {
    const nights = await start();
    await nights.night();
    nights.nowUs += 500 * dayUs;
    await nights.night();
    expect(await nights.countLeft()).toBe(20);
    expect(nights.retention.heldBecause()).toContain("501 days past the last roll-up");
    expect(await readRetentionMemory(nights.directory)).toMatchObject({ held: { reason: expect.stringContaining("501 days") } });
    await giveConsent(nights.directory);
    await vi.advanceTimersByTimeAsync(10_000);
    await vi.waitUntil(() => nights.retention.heldBecause() === undefined, { timeout: 10_000 });
    await vi.waitUntil(async () => (await nights.countLeft()) === 0, { timeout: 10_000 });
    expect(nights.held.at(-1)).toBe(false);
  });

  it("go on by themselves once the clock is set right", async () => {
    const nights = await start();
    await nights.night();
    nights.nowUs += 500 * dayUs;
    await nights.night();
    nights.nowUs -= 500 * dayUs;
    await nights.night();
    expect([nights.retention.heldBecause(), await nights.countLeft()]).toEqual([undefined, 20]);
  });

  it("take nothing while most hosts contradict the clock", async () => {
    const nights = await start();
    nights.evidence = { ...nights.evidence, dispute: "it is a year ahead", agreeing: 2 };
    nights.nowUs += 40 * dayUs;
    await nights.night();
    expect([nights.retention.heldBecause(), await nights.countLeft()]).toEqual(["it is a year ahead", 20]);
  });
});
