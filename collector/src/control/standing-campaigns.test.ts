import pino from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CampaignOrder } from "./campaign.js";
import { nameStart, startStandingCampaigns } from "./standing-campaigns.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const order: CampaignOrder = {
  suite: "quick",
  hosts: ["*"],
  hw_class: "amd-*",
  at_most_percent: 10,
  stagger_s: 30,
  ttl_s: 120,
  patience_s: 3600,
  at_once: false,
};
const weekly = { name: "weekly", cron: "0 3 * * SUN", timeZone: "UTC", order };
const hour = 3_600_000;

function setUp(from: string) {
  vi.setSystemTime(Date.parse(from));
  const started: string[] = [];
  const start = async (_: CampaignOrder, by: string, id?: string): Promise<never> => {
    started.push(`${id} by ${by}`);
    throw new Error("nobody is here");
  };
  const open = () =>
    startStandingCampaigns({
      standing: [weekly],
      campaigns: { start },
      nowMs: () => Date.now(),
      logger: pino({ level: "silent" }),
    });
  return { started, open };
}

describe("a campaign of the configuration", () => {
  it("is started when it is due, under a name that says when", async () => {
    const { started, open } = setUp("2026-11-28T12:00:00Z");
    const running = open();
    await vi.advanceTimersByTimeAsync(9 * 24 * hour);
    expect(started).toEqual(["weekly-20261129T0300 by schedule weekly", "weekly-20261206T0300 by schedule weekly"]);
    await running.stop();
  });

  it("is asked for again under the same name by a collector that is started again, within the hour", async () => {
    const { started, open } = setUp("2026-11-29T02:59:00Z");
    const first = open();
    await vi.advanceTimersByTimeAsync(2 * 60_000);
    await first.stop();
    await vi.advanceTimersByTimeAsync(30 * 60_000);
    const second = open();
    expect(new Set(started)).toEqual(new Set([`${nameStart("weekly", Date.parse("2026-11-29T03:00:00Z"))} by schedule weekly`]));
    expect(started).toHaveLength(2);
    await second.stop();
    await vi.advanceTimersByTimeAsync(2 * hour);
    await open().stop();
    expect(started).toHaveLength(2);
  });
});
