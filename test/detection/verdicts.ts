/**
 * How often results that did not change are called slower, and slower ones are, on days whose truth is known: `make
 * bench-verdicts`. Seeds are fixed. The last line of output is one JSON object.
 */
import { judgeResult, type PastResult } from "@fleetmark/shared/judgement/judge-result";
import type { Result } from "@fleetmark/shared/model/result";
import { createRandom, type Random } from "@fleetmark/shared/stats/random";
import { makeResult } from "../../shared/test/records.js";
import { drawNormal, noises } from "./series.js";

const dayUs = 86_400e6;
/** Deviation from day to day. */
const deviation = 0.03;
const lives = 4;
const daysOfLife = 1500;
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

/** Whether the result of a day is called slower, by the days before it. */
function isCalled(life: readonly PastResult[], day: number, falseAlarmsPerYear: number): boolean {
  const history = life.slice(Math.max(0, day - remembered), day);
  const given = { environment: {}, history, pinned: [], acceptedUs: 0, falseAlarmsPerYear, siblings: [] };
  return judgeResult({ result: life[day].result, ...given }).verdict === "regressed";
}

/** Regressions that began in a year, of a benchmark that never changed; days that follow each other are one. */
function countAlarms(kind: string, asked: number): number {
  let [alarms, days] = [0, 0];
  for (let seed = 1; seed <= lives; seed++) {
    const life = live(seed, kind, daysOfLife, () => 1);
    let wasCalled = false;
    for (let day = remembered; day < daysOfLife; day++, days++) {
      const called = isCalled(life, day, asked);
      if (called && !wasCalled) alarms++;
      wasCalled = called;
    }
  }
  return (alarms / days) * 365.25;
}

function countFound(kind: string, asked: number, factor: number): number {
  let found = 0;
  for (let i = 0; i < steps; i++) {
    const life = live(100 + i, kind, stepAt + daysToFind, (day) => (day < stepAt ? 1 : factor));
    if ([0, 1, 2].some((after) => isCalled(life, stepAt + after, asked))) found++;
  }
  return found;
}

console.log(
  `days that differ by ${100 * deviation} %, ${lives} lives of ${daysOfLife - remembered} judged days; steps found within ${daysToFind} days, of ${steps}\n`,
);
console.log(
  `${"asked a year".padEnd(14)}${"days".padEnd(12)}alarms a year  ${factors.map((each) => `+${Math.round(100 * each - 100)} %`.padStart(7)).join("")}`,
);
const rows = [1, 6].flatMap((asked) =>
  Object.keys(kinds).map((kind) => {
    const alarms_per_year = Number(countAlarms(kind, asked).toFixed(2));
    const found = Object.fromEntries(factors.map((factor) => [factor, countFound(kind, asked, factor)]));
    const figures = factors.map((factor) => String(found[factor]).padStart(7)).join("");
    console.log(`${String(asked).padEnd(14)}${kind.padEnd(12)}${alarms_per_year.toFixed(1).padStart(13)}  ${figures}`);
    return { asked_per_year: asked, days: kind, alarms_per_year, found_of_100: found };
  }),
);
console.log(JSON.stringify({ deviation, lives, days: daysOfLife - remembered, rows }));
