/**
 * How often results that did not change are called slower, and slower ones are, on days whose truth is known: `make
 * bench-verdicts`. Seeds are fixed. The last line of output is one JSON object.
 */
import { type Judgement, judgeResult, type PastResult } from "@fleetmark/shared/judgement/judge-result";
import type { Result } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";
import { createRandom, type Random } from "@fleetmark/shared/stats/random";
import { makeResult } from "../../shared/test/records.js";
import { drawNormal, noises } from "./series.js";

const dayUs = 86_400e6;
/** Deviation from day to day. */
const deviation = 0.03;
const lives = 4;
const daysOfLife = 1500;
const yearDays = 365;
/** As many results of before as the collector reads. */
const remembered = 60;
const steps = 100;
const stepAt = 30;
/** A step counts as found by the third day. */
const daysToFind = 3;
const factors = [1.05, 1.1, 1.15, 1.2] as const;

type DrawDay = () => number;

/** A spike of eight deviations in two of a hundred days. */
function createSpiky(random: Random): DrawDay {
  return () => drawNormal(random) + (random() < 0.02 ? 8 : 0);
}

const kinds: Readonly<Record<string, (random: Random) => DrawDay>> = {
  normal: noises.normal,
  "AR .6": noises["AR .6"],
  "AR .8": noises["AR .8"],
  bimodal: noises.bimodal,
  "log-normal": noises["log-normal"],
  spiky: createSpiky,
};

/** A day's result, of as many process runs as a suite makes. */
function measure(day: number, level: number): Result {
  return makeResult({ median: level, time_us: day * dayUs, process_runs: 6, run_spread: 0.005, metadata: {} });
}

function live(seed: number, kind: string, days: number, level: (day: number) => number): PastResult[] {
  const draw = kinds[kind](createRandom(seed));
  return Array.from({ length: days }, (_, day) => ({
    result: measure(day, 1e-3 * level(day) * Math.exp(deviation * draw())),
    environment: {},
  }));
}

/** Judges the result of a day by the days before it, and by the verdict of the day before where there is one. */
function judgeDay(life: readonly PastResult[], day: number, falseAlarmsPerYear: number, former?: Judgement): Judgement {
  const history = life.slice(Math.max(0, day - remembered), day);
  const given = { environment: {}, history, pinned: [], acceptedUs: 0, falseAlarmsPerYear, siblings: [], former };
  return judgeResult({ result: life[day].result, ...given });
}

/**
 * Regressions that began in a year, of a benchmark that never changed, in its first year and after; days that follow
 * each other are one. The second figure of the answer is the caution that was learned in the end.
 */
function countAlarms(kind: string, asked: number): { readonly first: number; readonly later: number; readonly caution: number } {
  const alarms = { first: 0, later: 0 };
  const days = { first: 0, later: 0 };
  const cautions: number[] = [];
  for (let seed = 1; seed <= lives; seed++) {
    const life = live(seed, kind, daysOfLife, () => 1);
    let former: Judgement | undefined;
    for (let day = remembered; day < daysOfLife; day++) {
      const judged = judgeDay(life, day, asked, former);
      const part = day - remembered < yearDays ? "first" : "later";
      days[part]++;
      if (judged.verdict === "regressed" && former?.verdict !== "regressed") alarms[part]++;
      former = judged;
    }
    cautions.push(former?.caution ?? 1);
  }
  const rate = (part: "first" | "later"): number => (alarms[part] / days[part]) * 365.25;
  return { first: rate("first"), later: rate("later"), caution: median(cautions) };
}

function countFound(kind: string, asked: number, factor: number, caution: number): number {
  let found = 0;
  for (let i = 0; i < steps; i++) {
    const life = live(100 + i, kind, stepAt + daysToFind, (day) => (day < stepAt ? 1 : factor));
    const former = { ...judgeDay(life, stepAt - 1, asked), caution };
    if ([0, 1, 2].some((after) => judgeDay(life, stepAt + after, asked, former).verdict === "regressed")) found++;
  }
  return found;
}

console.log(
  `days that differ by ${100 * deviation} %, ${lives} lives of ${daysOfLife - remembered} judged days; steps found within ${daysToFind} days, of ${steps}, before and after false alarms were learned from\n`,
);
console.log(
  `${"asked a year".padEnd(14)}${"days".padEnd(12)}alarms in the first year  later  ${factors.map((each) => `+${Math.round(100 * each - 100)} %`.padStart(9)).join("")}`,
);
const rows = [1, 6].flatMap((asked) =>
  Object.keys(kinds).map((kind) => {
    const { first, later, caution } = countAlarms(kind, asked);
    const found = Object.fromEntries(factors.map((factor) => [factor, countFound(kind, asked, factor, 1)]));
    const foundLater = Object.fromEntries(factors.map((factor) => [factor, countFound(kind, asked, factor, caution)]));
    const figures = factors.map((factor) => `${found[factor]}/${foundLater[factor]}`.padStart(9)).join("");
    console.log(
      `${String(asked).padEnd(14)}${kind.padEnd(12)}${first.toFixed(1).padStart(24)}${later.toFixed(1).padStart(7)}  ${figures}`,
    );
    const alarms = { alarms_first_year: Number(first.toFixed(2)), alarms_later_per_year: Number(later.toFixed(2)) };
    return { asked_per_year: asked, days: kind, ...alarms, caution, found_of_100: found, found_later_of_100: foundLater };
  }),
);
console.log(JSON.stringify({ deviation, lives, days: daysOfLife - remembered, rows }));
