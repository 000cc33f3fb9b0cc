import { type Dimension, makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * ChemicalReactor-v0: a non-isothermal continuous stirred-tank reactor with an exothermic first-order reaction A → B,
 * a cooling jacket, and feed, coolant and outlet actuators. Units: minutes, litres, kelvin, moles, bar.
 *
 * The reactor is that of Seborg, Edgar & Mellichamp, "Process Dynamics and Control" (2nd ed. 2004), equations 2-66 and
 * 2-68, with the nominal operating conditions of table 2.3. There the coolant temperature is an input. Around it, and
 * ours, are: variable holdup with Torricelli's outflow, a jacket energy balance sized so that the table's coolant
 * temperature of 300 K is its steady state, a gas phase (a side product, ideal gas, vented through a linear valve),
 * first-order actuator lags, and disturbances of the feed, the coolant and the heat transfer.
 */
export const reactorParameters = {
  /** Nominal feed, L/min; its concentration, mol/L; its temperature, K. Table 2.3. */
  feed: 100,
  feedConcentration: 1,
  feedTemperature: 350,
  /** Nominal volume, L. Table 2.3. */
  volume: 100,
  /** Density × heat capacity, J/(L K): 1000 g/L × 0.239 J/(g K). Table 2.3. */
  heatCapacity: 239,
  /** Heat of reaction, J/mol; activation temperature E/R, K; frequency factor, 1/min. Table 2.3. */
  reactionHeat: 5e4,
  activationTemperature: 8750,
  frequencyFactor: 7.2e10,
  /** Heat transfer to the jacket, J/(min K). Table 2.3. */
  heatTransfer: 5e4,
  /** The published steady state: concentration, mol/L; temperature, K; coolant temperature, K. Table 2.3. */
  steadyConcentration: 0.5,
  steadyTemperature: 350,
  steadyCoolantTemperature: 300,

  /** Jacket: volume, L; water's density × heat capacity, J/(L K); inlet temperature, K. */
  jacketVolume: 20,
  coolantHeatCapacity: 4180,
  coolantInlet: 280,
  /** Outflow through a full-open valve at nominal volume, L/min. */
  outletCapacity: 200,
  /**
   * Gas phase: vessel volume, L; gas per converted A, mol/mol; vent, mol/(min bar); ambient pressure, bar; R, L
   * bar/(mol K).
   */
  vesselVolume: 200,
  gasYield: 0.1,
  ventCapacity: 10,
  ambientPressure: 1,
  gasConstant: 0.0831446,
  /** Actuator lag, min. */
  actuatorLag: 0.1,
} as const;

const p = reactorParameters;

/** Coolant flow that carries the steady heat UA (T - Tc) away between inlet and jacket temperature, L/min. */
const steadyCoolant =
  (p.heatTransfer * (p.steadyTemperature - p.steadyCoolantTemperature)) /
  (p.coolantHeatCapacity * (p.steadyCoolantTemperature - p.coolantInlet));
/** Where half of the feed has reacted, its gas leaves through the vent. */
const steadyPressure = p.ambientPressure + (p.gasYield * p.feed * (p.feedConcentration - p.steadyConcentration)) / p.ventCapacity;
const steadyGas = (steadyPressure * (p.vesselVolume - p.volume)) / (p.gasConstant * p.steadyTemperature);

/** Indices into the state. The observation is the same but for the pressure in the place of the amount of gas. */
const [concentration, temperature, jacket, volume, gas, feed, coolant, outlet, feedTemp, feedConc, coolantTemp, transfer] =
  Array.from({ length: 12 }, (_, index) => index);
const pressure = gas;

const feedRange = { low: 50, high: 150 };
const coolantRange = { low: 0, high: 300 };
const outletRange = { low: 0, high: 1 };

/**
 * Arrhenius' law, 1/min. Held constant above 600 K, far past the adiabatic temperature, so that no state gives an
 * infinity.
 */
function computeRateConstant(kelvin: number): number {
  return p.frequencyFactor * Math.exp(-p.activationTemperature / Math.min(kelvin, 600));
}

function computePressure(state: Float64Array): number {
  return (state[gas] * p.gasConstant * state[temperature]) / (p.vesselVolume - state[volume]);
}

/**
 * Writes the balances of the component, the reactor's energy, the jacket's energy, the volume and the gas, then the
 * actuator lags. Disturbances do not move within a control interval.
 */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  const liquid = state[volume];
  const reaction = computeRateConstant(state[temperature]) * state[concentration];
  const exchange = p.heatTransfer * state[transfer] * (state[jacket] - state[temperature]);
  const dilution = state[feed] / liquid;
  rates[concentration] = dilution * (state[feedConc] - state[concentration]) - reaction;
  rates[temperature] =
    dilution * (state[feedTemp] - state[temperature]) +
    (p.reactionHeat * reaction) / p.heatCapacity +
    exchange / (liquid * p.heatCapacity);
  rates[jacket] =
    (state[coolant] / p.jacketVolume) * (state[coolantTemp] - state[jacket]) -
    exchange / (p.jacketVolume * p.coolantHeatCapacity);
  rates[volume] = state[feed] - p.outletCapacity * state[outlet] * Math.sqrt(liquid / p.volume);
  const vent = p.ventCapacity * Math.max(0, computePressure(state) - p.ambientPressure);
  rates[gas] = p.gasYield * reaction * liquid - vent;
  rates[feed] = (scaleAction(action[0], feedRange) - state[feed]) / p.actuatorLag;
  rates[coolant] = (scaleAction(action[1], coolantRange) - state[coolant]) / p.actuatorLag;
  rates[outlet] = (scaleAction(action[2], outletRange) - state[outlet]) / p.actuatorLag;
  rates[feedTemp] = 0;
  rates[feedConc] = 0;
  rates[coolantTemp] = 0;
  rates[transfer] = 0;
}

/** Volumes end short of empty and of full, where the equations divide by zero. */
function projectState(state: Float64Array): void {
  state[concentration] = Math.max(0, state[concentration]);
  state[volume] = Math.min(Math.max(state[volume], 5), p.vesselVolume - 5);
  state[gas] = Math.max(0, state[gas]);
  state[temperature] = Math.min(Math.max(state[temperature], 273.15), 1000);
  state[feedConc] = Math.max(0, state[feedConc]);
  state[transfer] = Math.max(0, state[transfer]);
}

function observe(state: Float64Array, observation: Float64Array): void {
  observation.set(state);
  observation[pressure] = computePressure(state);
}

/**
 * Quadratic in the deviations from the setpoint, each scaled to 1 at its soft limit, and in the effort of the coolant.
 */
function computeReward(observation: Float64Array, action: Float64Array): number {
  const heat = (observation[temperature] - p.steadyTemperature) / 20;
  const product = (observation[concentration] - p.steadyConcentration) / 0.25;
  const level = (observation[volume] - p.volume) / 20;
  return 1 - heat * heat - 0.25 * product * product - 0.1 * level * level - 0.01 * action[1] * action[1];
}

/**
 * State feedback on the coolant (the steady state is open-loop unstable, with a pole at +2.8/min), proportional
 * control of the level by the outlet valve, nominal feed. The gains solve the discrete linear-quadratic problem of the
 * model linearised at its steady state, weights 1/(3 K)^2 on the temperature and 1/(20 L/min)^2 on the coolant.
 */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  const feedback =
    1098 * (observation[concentration] - p.steadyConcentration) +
    30.6 * (observation[temperature] - p.steadyTemperature) +
    10.8 * (observation[jacket] - p.steadyCoolantTemperature) -
    0.767 * (observation[coolant] - steadyCoolant);
  action[0] = unscaleAction(p.feed, feedRange);
  action[1] = unscaleAction(steadyCoolant + feedback, coolantRange);
  action[2] = unscaleAction(p.feed / p.outletCapacity + 0.01 * (observation[volume] - p.volume), outletRange);
}

// biome-ignore format: one line per dimension reads as a table.
const dimensions: readonly (readonly [...Dimension, begin: number, deviation: number])[] = [
  ["concentration", "mol/L", 0, 2, p.steadyConcentration, 0.01],
  ["temperature", "K", 273.15, 1000, p.steadyTemperature, 1],
  ["jacket_temperature", "K", 250, 1000, p.steadyCoolantTemperature, 0.5],
  ["volume", "L", 5, 195, p.volume, 1],
  ["pressure", "bar", 0, 100, steadyGas, 0.05],
  ["feed_flow", "L/min", feedRange.low, feedRange.high, p.feed, 0],
  ["coolant_flow", "L/min", coolantRange.low, coolantRange.high, steadyCoolant, 0],
  ["outlet_valve", "1", outletRange.low, outletRange.high, p.feed / p.outletCapacity, 0],
  ["feed_temperature", "K", 300, 400, p.feedTemperature, 0],
  ["feed_concentration", "mol/L", 0, 2, p.feedConcentration, 0],
  ["coolant_inlet_temperature", "K", 260, 300, p.coolantInlet, 0],
  ["heat_transfer_factor", "1", 0, 2, 1, 0],
];

const interval = 0.05;
/**
 * Steps of the integrator; fewer where many reactors are stepped at once; and more in either case where the reaction
 * runs away. Against 256 steps an interval errs by less than 1e-5, 2e-4 and 2e-3 of the soft limits' widths, as long as
 * it stays within the envelope.
 */
const [substeps, fewSubsteps, fineSubsteps, fineAbove] = [8, 2, 32, 360];

export const chemicalReactor: Plant = {
  id: "ChemicalReactor-v0",
  description: "Exothermic stirred-tank reactor with cooling jacket, level and pressure (Seborg, Edgar & Mellichamp)",
  observationSpace: makeObservationSpace(dimensions.map(([name, unit, low, high]) => [name, unit, low, high])),
  actionSpace: makeActionSpace(["feed_flow_setpoint", "coolant_flow_setpoint", "outlet_valve_setpoint"]),
  interval,
  substeps,
  stiff: { index: temperature, above: fineAbove, substeps: fineSubsteps },
  compiled: {
    module: "chemical-reactor",
    substeps: fewSubsteps,
    parameters: { ...reactorParameters, interval, substeps: fewSubsteps, fineSubsteps, fineAbove },
  },
  maxSteps: 1000,
  initialState: Float64Array.from(dimensions, ([, , , , begin]) => begin),
  initialDeviation: Float64Array.from(dimensions, ([, , , , , deviation]) => deviation),
  disturbances: [
    { index: feedTemp, mean: p.feedTemperature, deviation: 0.5, relaxation: 5 },
    { index: feedConc, mean: p.feedConcentration, deviation: 0.005, relaxation: 5 },
    { index: coolantTemp, mean: p.coolantInlet, deviation: 0.5, relaxation: 10 },
    { index: transfer, mean: 1, deviation: 0.01, relaxation: 20 },
  ],
  constraints: [
    { name: "temperature", index: temperature, hardLow: 290, softLow: 330, softHigh: 370, hardHigh: 400 },
    { name: "pressure", index: pressure, hardLow: 0, softLow: 0.9, softHigh: 2, hardHigh: 3 },
    { name: "volume", index: volume, hardLow: 40, softLow: 80, softHigh: 120, hardHigh: 160 },
    { name: "concentration", index: concentration, hardLow: -0.01, softLow: 0, softHigh: 0.95, hardHigh: 1.2 },
    { name: "jacket_temperature", index: jacket, hardLow: 274, softLow: 278, softHigh: 350, hardHigh: 373 },
  ],
  envelope: [
    { name: "temperature", index: temperature, hardLow: 274, hardHigh: 450 },
    { name: "volume", index: volume, hardLow: 10, hardHigh: 190 },
    { name: "pressure", index: pressure, hardLow: 0, hardHigh: 10 },
  ],
  actionRate: Float64Array.of(0.2, 1, 0.2),
  fallbackAction: Float64Array.of(-1, 1, 0),
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
