/**
 * How well changes are found in series whose changes are known, beside what others do: `make bench-detect`. Seeds are
 * fixed, and others than those that the detector was tuned on. The last line of output is one JSON object.
 */
import { cpus } from "node:os";
import { detectSeriesChanges } from "@fleetmark/shared/stats/changes/series-changes";
import { findSteps } from "@fleetmark/shared/stats/changes/step-search";
import { type Detector, references } from "./references.js";
import { type Score, scoreChanges } from "./scores.js";
import { drawQuiet, drawStep, families, noises } from "./series.js";

/** Seeds from here on were not looked at while the detector was tuned, on those from 1000 to 1100. */
const firstSeed = 50_000;
const seriesPerFamily = Number(process.argv[2] ?? 100);
const quietLengths = [30, 50, 120, 300, 1000] as const;
const quietValues = 20_000;
const stepLength = 200;
const steps = 200;
/** What counts as found. */
const margin = 5;

const ours: Detector = (values) => detectSeriesChanges(values).map(({ index }) => index);
const detectors: Readonly<Record<string, Detector>> = { fleetmark: ours, ...references };

const round = (value: number): number => Number(value.toFixed(3));
const average = (values: readonly number[]): number => round(values.reduce((sum, each) => sum + each, 0) / values.length);

function printRow(cells: readonly (string | number)[], first = 26, other = 12): void {
  console.log(
    cells
      .map((cell, i) =>
        i === 0
          ? String(cell).padEnd(first)
          : String(cell)
              .slice(0, other - 1)
              .padStart(other),
      )
      .join(""),
  );
}

function scoreFamily(detector: Detector, draw: (typeof families)[string]): Score {
  const scores = Array.from({ length: seriesPerFamily }, (_, i) => {
    const { values, changes } = draw(firstSeed + i);
    return scoreChanges(detector(values), changes, values.length);
  });
  const of = (key: keyof Score): number => average(scores.map((score) => score[key]));
  return { precision: of("precision"), recall: of("recall"), f1: of("f1"), cover: of("cover") };
}

function compareFamilies(): Record<string, Record<string, Score>> {
  console.log(`\nF1 (margin ${margin}) / cover, ${seriesPerFamily} series of 80 to 320 values each`);
  printRow(["", ...Object.keys(detectors)]);
  const all: Record<string, Record<string, Score>> = {};
  for (const [family, draw] of Object.entries(families)) {
    const scores = Object.fromEntries(Object.entries(detectors).map(([name, detector]) => [name, scoreFamily(detector, draw)]));
    all[family] = scores;
    printRow([family, ...Object.values(scores).map(({ f1, cover }) => `${f1.toFixed(2)}/${cover.toFixed(2)}`)]);
  }
  return all;
}

function countFalse(detector: Detector, noise: string, n: number): number {
  const count = Math.ceil(quietValues / n);
  let found = 0;
  for (let i = 0; i < count; i++) found += detector(drawQuiet(noise, n, firstSeed + i).values).length;
  return round((1000 * found) / (count * n));
}

function countFalseAlarms(): Record<string, unknown> {
  console.log(`\nfalse changes per 1000 values, by the length of the series (${quietValues} values each); others at 300`);
  printRow(["", ...quietLengths.map((n) => `${n}`), ...Object.keys(references)], 14);
  const all: Record<string, unknown> = {};
  for (const noise of Object.keys(noises)) {
    const own = quietLengths.map((n) => countFalse(ours, noise, n));
    // Permutations by the hundred take long on what never changes: fewer values tell enough.
    const others = Object.entries(references).map(([name, detector]) => [name, countFalse(detector, noise, 300)] as const);
    all[noise] = { fleetmark: Object.fromEntries(quietLengths.map((n, i) => [n, own[i]])), ...Object.fromEntries(others) };
    printRow([noise, ...own.map((each) => each.toFixed(2)), ...others.map(([, each]) => each.toFixed(2))], 14);
  }
  return all;
}

/** The share of steps that are found within the margin, in percent. */
function countFound(detector: Detector, noise: string, percent: number): number {
  let found = 0;
  for (let i = 0; i < steps; i++) {
    const { values, changes } = drawStep(noise, stepLength, percent, firstSeed + i);
    if (detector(values).some((each) => Math.abs(each - changes[0]) <= margin)) found++;
  }
  return round((100 * found) / steps);
}

function countSteps(): Record<string, unknown> {
  console.log(
    `\nsteps of 4 % at 2 % of noise found within ${margin} values, percent of ${steps} (${stepLength} values, one step)`,
  );
  printRow(["", ...Object.keys(detectors)], 14);
  const all: Record<string, unknown> = {};
  for (const noise of Object.keys(noises)) {
    const found = Object.entries(detectors).map(([name, detector]) => [name, countFound(detector, noise, 4)] as const);
    all[noise] = Object.fromEntries(found);
    printRow([noise, ...found.map(([, each]) => each)], 14);
  }
  return all;
}

/** How many values of the new level are needed until a step is found, or none where thirty are not enough. */
function measureDelay(noise: string, percent: number, seed: number): number | undefined {
  const { values, changes } = drawStep(noise, stepLength, percent, seed);
  for (let after = 1; after <= 30; after++) {
    if (ours(values.slice(0, changes[0] + after)).some((each) => Math.abs(each - changes[0]) <= margin)) return after;
  }
  return undefined;
}

function measureDelays(): Record<string, unknown> {
  console.log("\nvalues of the new level until a step is found (median; percent that 30 were not enough for)");
  const all: Record<string, unknown> = {};
  for (const noise of ["normal", "bimodal", "AR .6", "AR .8"]) {
    for (const percent of [4, 10, 20]) {
      const delays = Array.from({ length: 50 }, (_, i) => measureDelay(noise, percent, firstSeed + i));
      const known = delays.map((each) => each ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
      const missed = delays.filter((each) => each === undefined).length;
      all[`${noise}, ${percent} %`] = { median: known[25], missed_percent: 2 * missed };
      printRow([`${noise}, ${percent} %`, known[25], `${2 * missed} %`], 18, 8);
    }
  }
  return all;
}

function measureSpeed(): Record<string, unknown> {
  console.log("\nspeed: a million values by levels alone, ten thousand in full");
  const all: Record<string, unknown> = {};
  for (const noise of Object.keys(noises)) {
    const long = Float64Array.from(drawQuiet(noise, 1_000_000, firstSeed).values);
    const short = drawQuiet(noise, 10_000, firstSeed).values;
    const begun = performance.now();
    findSteps(long);
    const between = performance.now();
    detectSeriesChanges(short);
    const [screened, full] = [(between - begun) / 1e3, (performance.now() - between) / 1e3];
    all[noise] = { screened_points_per_s: Math.round(1e6 / screened), full_10000_s: round(full) };
    printRow([noise, `${(1 / screened).toFixed(2)} M/s`, `${full.toFixed(2)} s`], 14);
  }
  return all;
}

console.log(`${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}, seeds from ${firstSeed}`);
const report = {
  seeds: firstSeed,
  families: compareFamilies(),
  false_per_1000: countFalseAlarms(),
  found_percent: countSteps(),
  delays: measureDelays(),
  speed: measureSpeed(),
};
console.log(JSON.stringify(report));
