/** Writes d(state)/dt for a constant action. */
export type Rates = (state: Float64Array, action: Float64Array, rates: Float64Array) => void;

/** Scratch arrays of the integrator, so that a step allocates nothing. */
export interface Integrator {
  readonly rates: readonly Float64Array[];
  readonly probe: Float64Array;
}

export function createIntegrator(dimensions: number): Integrator {
  return { rates: Array.from({ length: 4 }, () => new Float64Array(dimensions)), probe: new Float64Array(dimensions) };
}

/** Writes state + step × rates into `probe`. */
export function advance(state: Float64Array, rates: Float64Array, step: number, probe: Float64Array): void {
  for (let i = 0; i < state.length; i++) probe[i] = state[i] + step * rates[i];
}

/** Advances `state` in place by one step of the classical fourth-order Runge-Kutta method (Kutta 1901). */
export function integrateStep(
  integrator: Integrator,
  rates: Rates,
  state: Float64Array,
  action: Float64Array,
  step: number,
): void {
  rates(state, action, integrator.rates[0]);
  finishStep(integrator, rates, state, action, step);
}

/** The same from where the rates at the state are known: the first of the integrator's. */
export function finishStep(integrator: Integrator, rates: Rates, state: Float64Array, action: Float64Array, step: number): void {
  const [k1, k2, k3, k4] = integrator.rates;
  const { probe } = integrator;
  advance(state, k1, step / 2, probe);
  rates(probe, action, k2);
  advance(state, k2, step / 2, probe);
  rates(probe, action, k3);
  advance(state, k3, step, probe);
  rates(probe, action, k4);
  for (let i = 0; i < state.length; i++) state[i] += (step / 6) * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]);
}
