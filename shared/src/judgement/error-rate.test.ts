import { expect, test } from "vitest";
import { estimateErrorRate, type JudgedOnce } from "./error-rate.js";
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
