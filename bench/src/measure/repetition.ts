import { isAutocorrelated, rankAutocorrelation } from "@fleetmark/shared/stats/autocorrelation";
import type { MedianInterval } from "@fleetmark/shared/stats/intervals";
import { countRunsNeeded, type Level, placeLevel } from "@fleetmark/shared/stats/levels";
import { median } from "@fleetmark/shared/stats/quantiles";
import { madToSigma, medianAbsoluteDeviation } from "@fleetmark/shared/stats/robust";
import { mean, variance } from "@fleetmark/shared/stats/summary";

/** Variance of the median, split by level: Kalibera & Jones, ISMM 2013, § 6.2 (their T²), with medians for means. */
export interface LevelVariances {
  /** Between samples of one run: what a run of one sample would add to the variance of its median. */
  readonly within: number;
  /** Between runs beyond what the samples' variance explains; never under 0. */
  readonly between: number;
}

/** The variance of the median of n normal samples is π / 2 times σ² / n, to first order. */
const medianInflation = Math.PI / 2;

/** By how much dependence between neighbours inflates the variance of a mean: (1 + ρ) / (1 − ρ) for AR(1). */
function inflateForDependence(samples: ArrayLike<number>): number {
  const correlation = Math.min(0.9, rankAutocorrelation(samples));
  return isAutocorrelated(correlation, samples.length) ? (1 + correlation) / (1 - correlation) : 1;
}

/**
 * Estimates the variance at each level from the steady samples of some runs. The spread of samples is taken by their
 * median absolute deviation: one long collection, which moves no median, would otherwise ask for thousands of samples
 * more.
 */
export function estimateVariances(runs: readonly ArrayLike<number>[]): LevelVariances {
  const spread = (run: ArrayLike<number>): number => (madToSigma * medianAbsoluteDeviation(run)) ** 2;
  const within = mean(runs.map((run) => medianInflation * spread(run) * inflateForDependence(run)));
  const perRun = mean(runs.map((run) => run.length));
  const between = variance(runs.map(median)) - within / perRun;
  return { within, between: Math.max(0, between) };
}

/**
 * Returns how many samples each further run should take: √(cost of a run / cost of a sample × T₁² / T₂²), Kalibera &
 * Jones § 9; infinity where runs do not differ and only samples help.
 */
export function chooseSamplesPerRun({ within, between }: LevelVariances, runCostS: number, sampleCostS: number): number {
  if (within === 0) return 1;
  return Math.ceil(Math.sqrt((runCostS / sampleCostS) * (within / between)));
}

/** Half the width of the interval that a benchmark must reach, in the unit of its samples. */
export function allowedReach(unit: "s" | "%" | "MB", centre: number, goal: number): number {
  switch (unit) {
    case "s":
      return goal * Math.abs(centre);
    case "%":
      // An overhead is a ratio already: one may lie around zero, where a share of it is no goal.
      return goal * 100;
    case "MB":
      // Resident memory moves in pages and pools: under a megabyte nothing is told apart.
      return Math.max(goal * Math.abs(centre), 1);
  }
}

export function meetsGoal({ median, low, high }: MedianInterval, unit: "s" | "%" | "MB", goal: number): boolean {
  return (high - low) / 2 <= allowedReach(unit, median, goal);
}

/** Returns how many runs are needed for the goal, by what the first ones say. */
export function countWantedRuns(first: Level, unit: "s" | "%" | "MB", goal: number): number {
  const { median } = placeLevel(first);
  const reach = allowedReach(unit, median, goal);
  return countRunsNeeded(first, first.scale === "relative" ? Math.log1p(reach / median) : reach);
}

export interface RepetitionState {
  /** Steady samples of each undisturbed run that settled. */
  readonly runs: readonly ArrayLike<number>[];
  /** Samples that the longest warm-up of any run took, disturbed ones included. */
  readonly warmupSamples: number;
  /** Runs made in all, disturbed ones included. */
  readonly runsMade: number;
  /** How many runs the goal needs, by the first of them; undefined as long as there are fewer than those. */
  readonly wantedRuns: number | undefined;
  /** Seconds of a process before its first and after its last sample, and of a sample. */
  readonly runCostS: number;
  readonly sampleCostS: number;
  /** Of the whole benchmark, and what is left of it. */
  readonly budgetS: number;
  readonly remainingS: number;
}

export interface RepetitionLimits {
  readonly fewestRuns: number;
  readonly mostRuns: number;
  readonly fewestSamples: number;
  readonly mostSamples: number;
}

export interface RunPlan {
  readonly samples: number;
  readonly fewestSamples: number;
  readonly limitS: number;
}

/** Runs that are made whatever they cost, unless the budget, in seconds, is so short that it must have been meant. */
const unconditionalRuns = 3;
const shortBudgetS = 1;

/**
 * Shorter runs, in seconds, may end before anything is compiled, and before the kernel's counters show a disturbance.
 */
const shortestRunS = 0.15;

/** How many times its warm-up a run must last. */
const warmupFactor = 3;

/**
 * How many samples a second run takes, times the fewest that say something: until there are two, nobody knows how runs
 * differ.
 */
const secondRunFactor = 20;

function chooseWanted(
  runs: readonly ArrayLike<number>[],
  runCostS: number,
  sampleCostS: number,
  limits: RepetitionLimits,
): number {
  if (runs.length === 0) return limits.mostSamples;
  if (runs.length === 1) return secondRunFactor * limits.fewestSamples;
  return chooseSamplesPerRun(estimateVariances(runs), runCostS, sampleCostS);
}

/** Plans the next process run, or says to stop: the goal is met, or no whole run fits into the budget any more. */
export function planNextRun(state: RepetitionState, limits: RepetitionLimits): RunPlan | "stop" {
  const { runs, warmupSamples, runCostS, sampleCostS, remainingS } = state;
  const missing = limits.fewestRuns - runs.length;
  const isDone = state.wantedRuns !== undefined && runs.length >= Math.max(limits.fewestRuns, state.wantedRuns);
  if (isDone || state.runsMade >= limits.mostRuns) return "stop";
  // A run must go on for long after its warm-up, which takes longer in some processes than in others.
  const fewest = Math.max(limits.fewestSamples, Math.ceil(shortestRunS / sampleCostS), warmupFactor * warmupSamples);
  const least = Math.min(fewest, limits.mostSamples);
  // One run says nothing about the next, and two little.
  const canMake = state.budgetS < shortBudgetS ? 1 : unconditionalRuns;
  if (state.runsMade >= Math.min(limits.fewestRuns, canMake) && remainingS < runCostS + least * sampleCostS) return "stop";
  const affordable = Math.floor((remainingS / Math.max(1, missing) - runCostS) / sampleCostS);
  const wanted = chooseWanted(runs, runCostS, sampleCostS, limits);
  const samples = Math.max(least, Math.min(wanted + warmupSamples, affordable, limits.mostSamples));
  return { samples, fewestSamples: least, limitS: Math.max(1.5 * samples * sampleCostS, 0.05) };
}
