import type { SteadyState } from "@fleetmark/shared/model/result";
import { bootstrapMedian } from "@fleetmark/shared/stats/bootstrap";
import type { MedianInterval } from "@fleetmark/shared/stats/intervals";
import { estimateStagedLevel, type Level, placeLevel, type Spread } from "@fleetmark/shared/stats/levels";
import { median, quantile, sortNumbers } from "@fleetmark/shared/stats/quantiles";
import type { ProcessRun } from "../executors/executor.js";
import { isPaceLost, listDisturbances } from "../machine/disturbance.js";
import { findPaceLoss } from "../machine/pace.js";
import { classifySteadyState, countSettling } from "./steady-state.js";

/** A process run with its place in the benchmark. */
export interface JudgedRun extends ProcessRun {
  readonly verdict: SteadyState;
  /** The samples from the steady state on; all where there is no steady state. */
  readonly steady: Float64Array;
  readonly disturbed: boolean;
  readonly disturbedWindows: number;
}

/** Share of a run's windows that may be disturbed in one that counts as undisturbed. */
const mostDisturbedWindows = 0.2;

export const unitOf = { repeat: "s", compare: "%", "first-call": "s", episode: "MB" } as const;

/** Returns what the reference work took in each of a run's windows. */
export function listPaces({ windows }: Pick<ProcessRun, "windows">): number[] {
  return windows.map(({ workS }) => workS);
}

/**
 * Judges a process run by its course, and by what disturbed it on a machine whose reference work takes `fullS` at full
 * pace.
 */
export function judgeRun(run: ProcessRun, fullS: number): JudgedRun {
  const { verdict, start } = classifySteadyState(run.course);
  return { ...run, verdict, steady: run.samples.slice(start), ...judgeDisturbance(run, fullS) };
}

/**
 * Judges what disturbed a process run on a machine whose reference work takes `fullS` at full pace. Of work on a card
 * the card tells: the host's cores only wait for it.
 */
export function judgeDisturbance(
  { exposure, windows, cardDisturbance }: Pick<ProcessRun, "exposure" | "windows" | "cardDisturbance">,
  fullS: number,
): Pick<JudgedRun, "exposure" | "disturbed" | "disturbedWindows"> {
  const losses = windows.map(({ workS }) => findPaceLoss(workS, fullS));
  const seen = { ...exposure, paceLoss: quantile(sortNumbers(losses), 1 - mostDisturbedWindows) };
  if (cardDisturbance !== undefined) return { exposure: seen, disturbed: cardDisturbance !== "", disturbedWindows: 0 };
  const disturbedWindows = windows.filter(({ disturbed }, i) => disturbed || isPaceLost(losses[i])).length;
  const disturbed = listDisturbances(seen).length > 0 || disturbedWindows > mostDisturbedWindows * windows.length;
  return { exposure: seen, disturbed, disturbedWindows };
}

/** Counts the samples of a run's warm-up, by its change points or, where these passed over it, by its windows. */
export function countWarmup({ samples, steady, course }: JudgedRun): number {
  const separated = samples.length - steady.length;
  return Math.max(separated, countSettling(course, median(course.subarray(separated))));
}

/** Whether a run's times came to rest, or were too few to say. */
export function isSettled({ verdict }: Pick<JudgedRun, "verdict">): boolean {
  return verdict !== "no_steady_state";
}

/** Two runs tell by how much runs differ, if badly: their interval is six times as wide as that of many. */
const fewestSettled = 2;

/**
 * Chooses the runs that count: the undisturbed ones if they are enough, else all, since a disturbed figure that says
 * so is better than none; and of these the ones that settled, if they are most. One run in which something moved then
 * does not speak for the work; where half of them did not settle, the work itself has no steady state, and says so.
 */
export function chooseRuns<R extends Pick<JudgedRun, "verdict" | "disturbed">>(made: readonly R[], enough: number): readonly R[] {
  const clean = made.filter((run) => !run.disturbed);
  const pool = clean.length >= enough ? clean : made;
  const settled = pool.filter(isSettled);
  return settled.length >= fewestSettled && 2 * settled.length > pool.length ? settled : pool;
}

/** The level of a benchmark, and its 95 % interval. */
export interface Estimate {
  readonly level: Level;
  readonly interval: MedianInterval;
  /** The median of each run. */
  readonly medians: readonly number[];
}

/**
 * Estimates the level from the medians of some runs, as a factor where all are positive amounts. Of a single run whose
 * kin nothing is known of, the interval is the spread of the median within it.
 * @param firstStage how many runs decided how many there are
 */
export function estimateRuns(runs: readonly JudgedRun[], firstStage: number, seed: number, history: Spread): Estimate {
  const medians = runs.map((run) => median(run.steady));
  const isPositive = unitOf[runs[0].kind] !== "%" && medians.every((each) => each > 0);
  const scale = isPositive ? "relative" : "absolute";
  const level = estimateStagedLevel(medians, firstStage, scale, history);
  if (level.spread.degrees > 0) return { level, interval: placeLevel(level), medians };
  return { level, interval: bootstrapMedian(runs[0].steady, { seed }), medians };
}
