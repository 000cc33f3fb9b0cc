import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../../test/records.js";
import { drawNormal } from "../../../test/simulation.js";
import type { Result } from "../../model/result.js";
import { createRandom } from "../../stats/random.js";
import { type Candidate, qualifyHost } from "./qualification.js";
import { compareHost, findSlowHosts, type HostResults } from "./slow-hosts.js";

const names = Array.from({ length: 10 }, (_, i) => `b${i}`);

/** Hosts that differ by one percent; the first is slower by a factor in some benchmarks. */
function drawHosts(seed: number, count: number, factor = 1, slowIn = 0, more: Partial<Result> = {}): HostResults[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, h) => ({
    host: `h${h}`,
    results: names.map((name, b) => {
      const level = 1e-3 * Math.exp(0.01 * drawNormal(random)) * (h === 0 && b < slowIn ? factor : 1);
      return makeResult({ host: `h${h}`, name, median: level, process_runs: 6, run_spread: 0.01, ...more });
    }),
  }));
}

describe("hosts of a class", () => {
  it.each([4, 8, 60])("of %d: the one that is slower in some benchmarks is named, with these and by how much", (count) => {
    const [first, ...others] = findSlowHosts(drawHosts(1, count, 1.2, 3));
    expect(first).toMatchObject({ host: "h0", isSlow: true, peers: count - 1 });
    expect(first?.comparisons.filter(({ isSlow }) => isSlow).map(({ name }) => name)).toEqual(["b0", "b1", "b2"]);
    expect(Math.abs((first?.change ?? 0) - 20)).toBeLessThan(4);
    expect(others.every(({ isSlow }) => !isSlow)).toBe(true);
  });

  it("that are alike are seldom called slow", () => {
    const called = Array.from(
      { length: 60 },
      (_, seed) => findSlowHosts(drawHosts(seed, 8)).filter(({ isSlow }) => isSlow).length,
    );
    expect(called.filter((each) => each > 0).length).toBeLessThanOrEqual(6);
  });

  it("of fewer than four are not compared, nor by what did not settle", () => {
    expect(findSlowHosts(drawHosts(1, 3, 2, 10)).every(({ comparisons }) => comparisons.length === 0)).toBe(true);
    const restless = drawHosts(1, 8, 2, 10, { steady_state: "no_steady_state" });
    expect(findSlowHosts(restless).every(({ comparisons }) => comparisons.length === 0)).toBe(true);
  });

  it("give the same answer in any unit, and never fail", () => {
    // Whole nanoseconds: levels that differ by rounding alone are in another order in another unit.
    const level = fc.integer({ min: 0, max: 1e9 }).map((nanoseconds) => nanoseconds / 1e9);
    fc.assert(
      fc.property(fc.array(fc.tuple(level, level), { maxLength: 8 }), fc.constantFrom(1, 1024), (levels, scale) => {
        const make = (factor: number): HostResults[] =>
          levels.map((pair, h) => ({
            host: `h${h}`,
            results: pair.map((each, b) => makeResult({ name: `b${b}`, median: each * factor })),
          }));
        const slow = (hosts: HostResults[]): string[] =>
          findSlowHosts(hosts)
            .filter(({ isSlow }) => isSlow)
            .map(({ host }) => host);
        expect(slow(make(scale))).toEqual(slow(make(1)));
      }),
    );
  });
});

describe("a host", () => {
  const judge = (host: HostResults | undefined, peers: readonly HostResults[], more: Partial<Candidate> = {}) => {
    const { results = [] } = host ?? {};
    const standing = compareHost({ host: "h0", results }, peers);
    const run = { hw_class: "c1", failures: [], completed: results.length, total: names.length };
    return qualifyHost({ run, results, standing, known: new Set(names), fewest: 3, ...more });
  };

  it("is fit as its peers are, and slow where it is slower", () => {
    const [same, ...peers] = drawHosts(2, 6);
    expect(judge(same, peers)).toEqual({ fitness: "fit", why: "10 benchmarks are as fast as at 5 peers" });
    const [slow, ...others] = drawHosts(2, 6, 1.3, 2);
    expect(judge(slow, others)).toMatchObject({
      fitness: "slow",
      why: expect.stringMatching(/^2 of 10 benchmarks .* b[01], b[01]$/),
    });
  });

  it("is broken where it can't run what its peers run, or nothing at all", () => {
    const [same, ...peers] = drawHosts(2, 6);
    const failures = [{ name: "b3", error: "no card" }];
    const run = { hw_class: "c1", failures, completed: 9, total: 10 };
    expect(judge(same, peers, { run })).toEqual({ fitness: "broken", why: "b3 failed, which its peers can do: no card" });
    expect(judge({ host: "h0", results: [] }, peers, { run })).toMatchObject({ fitness: "broken" });
    const unknown = { ...run, failures: [{ name: "of its own", error: "no" }] };
    expect(judge(same, peers, { run: unknown }).fitness).toBe("fit");
  });

  it("can't be judged alone, nor by what did not settle", () => {
    const [same, one] = drawHosts(2, 2);
    expect(judge(same, one === undefined ? [] : [one])).toMatchObject({
      fitness: "cannot-say",
      why: expect.stringMatching(/^only 1 other host/),
    });
    expect(judge(same, []).fitness).toBe("cannot-say");
    expect(judge(same, one === undefined ? [] : [one], { fewest: 1 }).fitness).toBe("fit");
    const [restless, ...peers] = drawHosts(2, 6, 1, 0, { steady_state: "no_steady_state" });
    expect(judge(restless, peers).fitness).toBe("cannot-say");
  });
});
