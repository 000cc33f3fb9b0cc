import type { BoxSpace } from "./plant.js";

/** Actions are commands to actuators, each scaled so that -1 commands the low end of its range and +1 the high end. */

/** What an actuator can be set to, in its own unit. */
export interface ActuatorRange {
  readonly low: number;
  readonly high: number;
}

/** Returns the setpoint that an action commands, in the actuator's unit. */
export function scaleAction(action: number, { low, high }: ActuatorRange): number {
  return low + ((action + 1) / 2) * (high - low);
}

/** Returns the action that commands a setpoint, at most the nearer end of the range. */
export function unscaleAction(value: number, { low, high }: ActuatorRange): number {
  return Math.min(1, Math.max(-1, (2 * (value - low)) / (high - low) - 1));
}

/** Returns the space of such actions. */
export function makeActionSpace(names: readonly string[]): BoxSpace {
  return {
    names,
    units: names.map(() => "1"),
    low: new Float64Array(names.length).fill(-1),
    high: new Float64Array(names.length).fill(1),
  };
}

/** A dimension of an observation: its name, unit, and the interval that no state of the model leaves. */
export type Dimension = readonly [name: string, unit: string, low: number, high: number];

export function makeObservationSpace(dimensions: readonly Dimension[]): BoxSpace {
  return {
    names: dimensions.map(([name]) => name),
    units: dimensions.map(([, unit]) => unit),
    low: Float64Array.from(dimensions, ([, , low]) => low),
    high: Float64Array.from(dimensions, ([, , , high]) => high),
  };
}
