import type { Result } from "../model/result.js";
import { median } from "../stats/quantiles.js";

/** How fast the machine itself was while a result was measured, and how much of its core the work had. */
export interface MachineState {
  /** What the reference work between samples took, microseconds; 0 where it was not timed. */
  readonly referenceUs: number;
  /** The share of time that the measured thread did not have its core, or waited for memory. */
  readonly absence: number;
}

/** A change as a share, with its interval. */
interface Moved {
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

/**
 * What the machine itself may explain of a change of times is not called: the interval reaches so much further.
 * @param doubt by how much more it reaches to either side, as a logarithm
 */
export function allowForDrift<M extends Moved>(moved: M, { pace, contention }: MachineDrift, doubt = 0): M {
  const drift = pace + contention;
  const low = Math.expm1(Math.log1p(moved.low) - Math.max(0, drift) - doubt);
  return { ...moved, low, high: Math.expm1(Math.log1p(moved.high) + Math.max(0, -drift) + doubt) };
}

/** By what factors, as logarithms, a machine became slower: positive where the later one had the slower core. */
export interface MachineDrift {
  /** By the pace of its core. */
  readonly pace: number;
  /** By what others took of it. */
  readonly contention: number;
}

/** Work that was away from its core for more than this is not to be reckoned with. */
const mostAbsent = 0.9;

/** Reads a number of the metadata that is no nonsense. */
export function readNumber({ metadata }: Pick<Result, "metadata">, key: string): number | undefined {
  const value = metadata[key];
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

export function readMachineState(result: Pick<Result, "metadata">): MachineState {
  const keys = ["wait_percent", "steal_percent", "memory_stall_percent"];
  const absence = keys.reduce((sum, key) => sum + (readNumber(result, key) ?? 0) / 100, 0);
  return { referenceUs: readNumber(result, "reference_work_us") ?? 0, absence: Math.min(mostAbsent, absence) };
}

/** What the machine is like as a rule: medians over results. */
export function summarizeMachine(results: readonly Pick<Result, "metadata">[]): MachineState {
  const states = results.map(readMachineState).filter(({ referenceUs }) => referenceUs > 0);
  if (states.length === 0) return { referenceUs: 0, absence: 0 };
  return {
    referenceUs: median(states.map(({ referenceUs }) => referenceUs)),
    absence: median(states.map(({ absence }) => absence)),
  };
}

/** Tells how much slower a machine is than it was; nothing where either side did not time the reference work. */
export function measureDrift(before: MachineState, after: MachineState): MachineDrift {
  if (before.referenceUs === 0 || after.referenceUs === 0) return { pace: 0, contention: 0 };
  return {
    pace: Math.log(after.referenceUs / before.referenceUs),
    contention: Math.log((1 - before.absence) / (1 - after.absence)),
  };
}
