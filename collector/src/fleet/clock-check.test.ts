import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ClockJudgement, describeDispute, judgeClock, readHostClock } from "./clock-check.js";

const wallUs = 1_800_000_000e6;
const hourUs = 3600e6;

/** What hosts told whose clocks are off by so much, when the steady clock showed 1 h. */
const tell = (offsets: readonly number[], isLocal = false) =>
  offsets.map((offset) => readHostClock(BigInt(Math.round(wallUs + offset)), hourUs, isLocal));

const judge = (offsets: readonly number[]): ClockJudgement => judgeClock(tell(offsets), { wallUs, steadyUs: hourUs });

describe("the collector's clock", () => {
  it.each([
    [[], "unknown"],
    [[0], "agreed"],
    [[59e6, -59e6, 3e6], "agreed"],
    [[2 * hourUs], "disputed"],
    [[2 * hourUs, 0], "agreed"],
    [[2 * hourUs, -2 * hourUs, 2 * hourUs, -2 * hourUs], "agreed"],
    [[2 * hourUs, 2 * hourUs, 0], "disputed"],
    [[-500 * 24 * hourUs, -500 * 24 * hourUs, 0], "disputed"],
  ] as const)("against offsets of %j is %s", (offsets, verdict) => {
    expect(judge(offsets).verdict).toBe(verdict);
  });

  it("that steps is contradicted by what was told before", () => {
    const told = tell([0, 1e6, -1e6]);
    const later = { steadyUs: hourUs + 30e6, wallUs: wallUs + 30e6 };
    expect(judgeClock(told, later).verdict).toBe("agreed");
    const stepped = judgeClock(told, { ...later, wallUs: later.wallUs - 2 * hourUs });
    expect(stepped).toMatchObject({ verdict: "disputed", offsetUs: 2 * hourUs });
    expect(describeDispute(stepped)).toBe("the collector's clock is 2 h behind those of most hosts (3 told theirs)");
  });

  it("is judged by what was told within ten minutes", () => {
    expect(judgeClock(tell([2 * hourUs]), { wallUs: wallUs + 601e6, steadyUs: hourUs + 601e6 }).verdict).toBe("unknown");
  });

  it("is proved by no host of its own machine", () => {
    expect(judgeClock(tell([0, 0], true), { wallUs, steadyUs: hourUs })).toMatchObject({ verdict: "agreed", agreeing: 0 });
  });

  it("is not judged by what is no time", () => {
    expect([0n, -1n, 2n ** 62n].map((sentUs) => readHostClock(sentUs, 0, false))).toEqual([undefined, undefined, undefined]);
  });

  it("needs more than half of the hosts against it", () => {
    const offset = fc.integer({ min: -90 * 86_400, max: 90 * 86_400 }).map((s) => s * 1e6);
    fc.assert(
      fc.property(fc.array(offset, { minLength: 1, maxLength: 40 }), (offsets) => {
        const ahead = offsets.filter((each) => each > 60e6).length;
        const behind = offsets.filter((each) => each < -60e6).length;
        const isMost = 2 * Math.max(ahead, behind) > offsets.length;
        expect(judge(offsets).verdict).toBe(isMost ? "disputed" : "agreed");
      }),
    );
  });
});
