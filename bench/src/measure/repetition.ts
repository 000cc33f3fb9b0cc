import { isAutocorrelated, rankAutocorrelation } from "@fleetmark/shared/stats/autocorrelation";
import type { MedianInterval } from "@fleetmark/shared/stats/bootstrap";
import { mean, variance } from "@fleetmark/shared/stats/summary";

/** Variance of what one process run's samples mean, split by level: Kalibera & Jones, ISMM 2013, § 6.2 (their T²). */
export interface LevelVariances {
  /** Between samples of one run. */
  readonly within: number;
  /** Between runs beyond what the samples' variance explains; never under 0. */
  readonly between: number;
}

/** By how much dependence between neighbours inflates the variance of a mean: (1 + ρ) / (1 − ρ) for AR(1). */
function inflateForDependence(samples: ArrayLike<number>): number {
  const correlation = Math.min(0.9, rankAutocorrelation(samples));
  return isAutocorrelated(correlation, samples.length) ? (1 + correlation) / (1 - correlation) : 1;
}

/** Estimates the variance at each level from the steady samples of some runs. */
export function estimateVariances(runs: readonly ArrayLike<number>[]): LevelVariances {
  const within = mean(runs.map((run) => variance(run) * inflateForDependence(run)));
  const perRun = mean(runs.map((run) => run.length));
  const between = variance(runs.map(mean)) - within / perRun;
  return { within, between: Math.max(0, between) };
}

/**
 * Returns how many samples each further run should take: √(cost of a run / cost of a sample × T₁² / T₂²), Kalibera & Jones
 * § 9; infinity where runs do not differ and only samples help.
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

export interface RepetitionState {
  /** Steady samples of each undisturbed run that settled. */
  readonly runs: readonly ArrayLike<number>[];
  /** Samples that the longest warm-up among them took. */
  readonly warmupSamples: number;
  /** Runs made in all, disturbed ones included. */
  readonly runsMade: number;
  readonly goalMet: boolean;
  /** Seconds of a process before its first and after its last sample, and of a sample. */
  readonly runCostS: number;
  readonly sampleCostS: number;
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

/** Plans the next process run, or says to stop: the goal is met, or no whole run fits into the budget any more. */
export function planNextRun(state: RepetitionState, limits: RepetitionLimits): RunPlan | "stop" {
  const { runs, warmupSamples, runCostS, sampleCostS, remainingS } = state;
  const missing = limits.fewestRuns - runs.length;
  if ((state.goalMet && missing <= 0) || state.runsMade >= limits.mostRuns) return "stop";
  // A run must go on for as long again as it warms up, else its samples are warm-up only.
  const least = Math.min(Math.max(limits.fewestSamples, 2 * warmupSamples), limits.mostSamples);
  // Two runs are made whatever they cost: one run says nothing about the next.
  if (state.runsMade >= 2 && remainingS < runCostS + least * sampleCostS) return "stop";
  const affordable = Math.floor((remainingS / Math.max(1, missing) - runCostS) / sampleCostS);
  const wanted = runs.length < 2 ? limits.mostSamples : chooseSamplesPerRun(estimateVariances(runs), runCostS, sampleCostS);
  const samples = Math.max(least, Math.min(wanted + warmupSamples, affordable, limits.mostSamples));
  return { samples, fewestSamples: least, limitS: Math.max(1.5 * samples * sampleCostS, 0.05) };
}
