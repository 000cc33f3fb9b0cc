import { expect, test } from "vitest";
import { createRandom } from "../stats/random.js";
import { estimateErrorRate, type FormerVerdict, type JudgedOnce, learnCaution, type Mark } from "./error-rate.js";
import type { Verdict } from "./verdict.js";

const dayUs = 86_400e6;

const live = (letters: string, host = "h1", cause = "unknown"): JudgedOnce[] => {
  const verdicts: Readonly<Record<string, Verdict>> = { r: "regressed", u: "unchanged", i: "improved" };
  return [...letters].map((letter, day) => ({
    host,
    name: "b",
    time_us: day * dayUs,
    verdict: verdicts[letter] ?? "inconclusive",
    cause,
  }));
};

test("a regression that is over within two results was false, and one that lasts is not", () => {
  expect(estimateErrorRate(live("uuruurruu"))).toMatchObject({ verdicts: 9, alarms: 2, false_alarms: 2 });
  expect(estimateErrorRate(live("uurrruuu"))).toMatchObject({ alarms: 1, false_alarms: 0 });
  expect(estimateErrorRate(live("uuuurr"))).toMatchObject({ alarms: 1, false_alarms: 0 });
  expect(estimateErrorRate(live("uuruu", "h1", "environment"))).toMatchObject({ alarms: 1, false_alarms: 0 });
});

test("the rate is by benchmark, host and year, with its interval", () => {
  const year = "u".repeat(365);
  const rate = estimateErrorRate([...live(`${year}ruu`), ...live(`${year}uuu`, "h2")]);
  expect(rate.benchmark_years).toBeCloseTo((2 * 367) / 365.25, 6);
  expect(rate.per_year).toBeCloseTo(1 / rate.benchmark_years, 6);
  // The exact interval of one event is .0253 to 5.572.
  expect((rate.low ?? 0) * rate.benchmark_years).toBeCloseTo(0.0253, 1);
  expect((rate.high ?? 0) * rate.benchmark_years).toBeCloseTo(5.572, 1);
});

test("nothing seen is no rate", () => {
  expect(estimateErrorRate([])).toMatchObject({ verdicts: 0, per_year: null });
  expect(estimateErrorRate(live("u"))).toMatchObject({ verdicts: 1, per_year: null });
});

test("what somebody says of a regression counts, and not how long it lasted", () => {
  const said = (letters: string, at: number, mark: Mark) =>
    estimateErrorRate(live(letters).map((each, day) => (day === at ? { ...each, mark } : each))).false_alarms;
  expect(said("uurruu", 2, "true")).toBe(0);
  expect(said("uurrrruu", 3, "false")).toBe(1);
  expect(said("uurrrr", 3, "false")).toBe(1);
  expect(said("uuruurru", 2, "true")).toBe(1);
});

/** Follows the caution that is learned with a row of verdicts. */
function learn(letters: string, said: Readonly<Record<number, Mark>> = {}, share = 1 / 365): number[] {
  let former: FormerVerdict | undefined;
  return [...letters].map((letter, day) => {
    const verdict = letter === "r" ? "regressed" : "unchanged";
    const learned = learnCaution(former, verdict, share, said[day]);
    former = { verdict, cause: letter === "r" ? "unknown" : "", ...learned };
    return learned.caution;
  });
}

test("a false alarm halves the rate that a benchmark is held to, and a year's worth without one doubles it", () => {
  expect(learn("uuu")).toEqual([1, 1, 1]);
  expect(learn("uru").at(-1)).toBeCloseTo(0.5, 2);
  expect(learn("urru").at(-1)).toBeCloseTo(0.5, 2);
  expect(learn("urrru").at(-1)).toBe(1);
  expect(learn(`uru${"u".repeat(365)}`).at(-1)).toBeCloseTo(1, 2);
  expect(learn("uru".repeat(20)).at(-1)).toBeGreaterThan(0.06);
});

test("what somebody says is learned once, and takes back what was learned", () => {
  expect(learn("urrrrrr", { 5: "false" }).at(-1)).toBeCloseTo(0.5, 2);
  expect(learn("urru", { 2: "false" }).at(-1)).toBeCloseTo(0.5, 2);
  expect(learn("uruu", { 2: "true" }).at(-1)).toBe(1);
  expect(learn("uruu", { 3: "true" }).at(-1)).toBe(1);
});

test("an upgrade that was taken back was no false alarm", () => {
  const former = { verdict: "regressed", cause: "environment", lasted: 1, caution: 0.5 } as const;
  expect(learnCaution(former, "unchanged", 0).caution).toBe(0.5);
});

test("in the long run as many alarms are raised as were asked for, where a lower rate can be had", () => {
  // A benchmark that is called slower by chance three times as often as it is asked for, whatever is asked.
  const [share, tail] = [1 / 50, 3];
  const random = createRandom(5);
  let former: FormerVerdict | undefined;
  let alarms = 0;
  for (let day = 0; day < 40_000; day++) {
    const verdict = random() < tail * share * (former?.caution ?? 1) ? "regressed" : "unchanged";
    if (verdict === "regressed" && former?.verdict !== "regressed") alarms++;
    former = { verdict, cause: "unknown", ...learnCaution(former, verdict, share) };
  }
  expect(alarms / 40_000).toBeGreaterThan(0.8 * share);
  expect(alarms / 40_000).toBeLessThan(1.2 * share);
});
