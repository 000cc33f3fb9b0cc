import { FleetmarkError } from "@fleetmark/shared/errors";

/** The outcome of a step of all. Reused: the same arrays are returned by every call. */
export interface VectorTransition {
  /** One environment after the other: count × numbers of an observation. */
  readonly observations: Float64Array;
  readonly rewards: Float64Array;
  /** 1 where an episode ended so, else 0. */
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
}

/**
 * Several environments of one kind that are stepped in one call, by Gymnasium's semantics of vector environments
 * (Towers et al. 2024) with its autoreset mode NEXT_STEP: the step after the end of an episode begins the next one. It
 * ignores the action, earns nothing, and gives the first observation.
 */
export interface VectorEnvironment {
  readonly count: number;
  readonly observationLength: number;
  readonly actionLength: number;
  /** What steps them: WebAssembly two at a time, or one after the other. */
  readonly implementation: "wasm-simd" | "loop";
  /** Begins an episode in each; equal seeds and equal actions give equal episodes. Returns the observations, reused. */
  reset(seed: number): Float64Array;
  /**
   * Advances each by one control interval.
   * @param actions one environment's after the other: count × numbers of an action
   * @throws FleetmarkError ACTION_INVALID for a wrong number of them, or a number that is not finite
   */
  step(actions: Float64Array): VectorTransition;
  /** Writes the actions of each environment's own controller. */
  suggestActions(actions: Float64Array): void;
}

/** @throws FleetmarkError ACTION_INVALID when actions of environments are not as many as they must be, or no numbers */
export function checkActions(id: string, actions: Float64Array, count: number, length: number): void {
  if (actions.length !== count * length) {
    const message = `${actions.length} numbers as actions of ${count} × ${id} (they take ${count * length})`;
    throw new FleetmarkError("ACTION_INVALID", message);
  }
  const at = actions.findIndex((each) => !Number.isFinite(each));
  if (at >= 0)
    throw new FleetmarkError("ACTION_INVALID", `${actions[at]} as an action of ${id}, environment ${Math.floor(at / length)}`);
}
