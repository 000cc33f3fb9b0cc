import type { BoxSpace } from "../plants/plant.js";

/**
 * Gymnasium's semantics (Towers et al. 2024, "Gymnasium: A Standard Interface for Reinforcement Learning
 * Environments").
 */

/** What a step tells besides its outcome. Reused: read it before the next step. */
export interface StepInfo {
  /** Steps since the reset. */
  steps: number;
  /**
   * How far soft constraints are exceeded, as a sum of fractions of their hard limits' distance; 0 inside or
   * unchecked.
   */
  cost: number;
  /**
   * The violated hard constraint's name, "" for none. Set in unchecked environments too when the plant's envelope is
   * left.
   */
  violation: string;
  /** Whether the safety layer replaced the action of this step. */
  intervened: boolean;
}

/** The outcome of a step. Reused: the same object and arrays are returned by every call. */
export interface Transition {
  readonly observation: Float64Array;
  reward: number;
  /** The plant left its envelope, or, checked, violated a hard constraint. */
  terminated: boolean;
  /** The episode reached its length. */
  truncated: boolean;
  readonly info: StepInfo;
}

/** What an agent meets: it observes, acts, and is rewarded. */
export interface Environment {
  readonly id: string;
  readonly observationSpace: BoxSpace;
  readonly actionSpace: BoxSpace;
  /** Steps after which an episode is truncated. */
  readonly maxSteps: number;
  /** Begins an episode; equal seeds and equal actions give equal episodes. The result is reused. */
  reset(seed: number): { readonly observation: Float64Array; readonly info: StepInfo };
  /**
   * Advances by one control interval. Actions outside the space are clipped to it, as actuators saturate. Allocates
   * nothing.
   * @throws FleetmarkError ACTION_INVALID for a wrong number of dimensions or a number that is not finite; the state
   * is unchanged
   */
  step(action: Float64Array): Transition;
  /**
   * Writes the action of a simple controller that does tolerably: behaviour data, and a base for residual policies.
   */
  suggestAction(action: Float64Array): void;
}

export interface EnvironmentOptions {
  /**
   * Whether every step passes the safety layer (safety.ts): rate limits, predictive barrier check, state constraints.
   */
  readonly checkConstraints: boolean;
}

/** How environments of one kind are made. */
export interface EnvironmentDefinition {
  readonly id: string;
  create(options: EnvironmentOptions): Environment;
}

/** How many numbers an observation and an action have: what networks and buffers are sized by. */
export interface SpaceSizes {
  readonly observationLength: number;
  readonly actionLength: number;
}

export function readSizes({ observationSpace, actionSpace }: Pick<Environment, "observationSpace" | "actionSpace">): SpaceSizes {
  return { observationLength: observationSpace.low.length, actionLength: actionSpace.low.length };
}
