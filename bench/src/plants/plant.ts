/** A box of real numbers, one interval per dimension, each with a name and a unit. */
export interface BoxSpace {
  readonly names: readonly string[];
  readonly units: readonly string[];
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Hard limits of one observed quantity: past them the episode terminates. */
export interface Limits {
  readonly name: string;
  /** Index into the observation. */
  readonly index: number;
  readonly hardLow: number;
  readonly hardHigh: number;
}

/**
 * Hard limits with soft ones inside them: past those it costs. Of what can't be less than none, the low limit lies as
 * far below as the high one above, so that getting less is no approach to a limit.
 */
export interface Constraint extends Limits {
  readonly softLow: number;
  readonly softHigh: number;
}

/**
 * A state that chance moves: an Ornstein-Uhlenbeck process (Uhlenbeck & Ornstein 1930), sampled exactly once per
 * control interval and constant within it.
 */
export interface Disturbance {
  /** Index into the state. */
  readonly index: number;
  readonly mean: number;
  /** Standard deviation of the stationary distribution. */
  readonly deviation: number;
  /** Time in which a deviation decays to 1/e, in the plant's unit of time. */
  readonly relaxation: number;
}

/** A module of `assembly/`, and the numbers that it imports by their names. */
export interface CompiledPlant {
  readonly module: string;
  /** The integrator's steps within an interval: many at once may be had at less precision. */
  readonly substeps: number;
  readonly parameters: Readonly<Record<string, number>>;
}

/** A physical process as pure functions over typed arrays: everything that tells one environment from another. */
export interface Plant {
  readonly id: string;
  readonly description: string;
  readonly observationSpace: BoxSpace;
  readonly actionSpace: BoxSpace;
  /** Control interval, in the plant's unit of time, and the integrator's steps within it. */
  readonly interval: number;
  readonly substeps: number;
  /** Where a state lies above, or would by an explicit Euler step over the interval, there are more steps. */
  readonly stiff?: { readonly index: number; readonly above: number; readonly substeps: number };
  /** The same plant in WebAssembly, which steps many at once. */
  readonly compiled?: CompiledPlant;
  readonly maxSteps: number;
  /** Where episodes begin, and the standard deviation of each state's random offset. */
  readonly initialState: Float64Array;
  readonly initialDeviation: Float64Array;
  readonly disturbances: readonly Disturbance[];
  readonly constraints: readonly Constraint[];
  /** The range in which the model means anything, in observed quantities; outside it every episode terminates. */
  readonly envelope: readonly Limits[];
  /** Largest change of each action dimension per control interval that the safety layer lets pass. */
  readonly actionRate: Float64Array;
  /** The action that is safe to fall back to. */
  readonly fallbackAction: Float64Array;
  /** Writes d(state)/dt. Must stay finite for every finite state. */
  computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void;
  /**
   * Brings a state that rounding or a long step pushed out of the possible (a negative concentration) back to its
   * edge.
   */
  projectState(state: Float64Array): void;
  observe(state: Float64Array, observation: Float64Array): void;
  computeReward(observation: Float64Array, action: Float64Array): number;
  suggestAction(observation: Float64Array, action: Float64Array): void;
}
