import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * PowerGrid-v0: four areas in a ring, each a synchronous machine with governor, turbine and exciter and a load that
 * chance moves. Units: seconds, hertz, radians, and per unit of an area's own power and voltage.
 *
 * - Machines: the third-order model of rotor angle, frequency and transient voltage over a lossless network
 *   (Schmietendorf, Peinke, Friedrich & Kamps 2014, "Self-organized synchronization and voltage stability in networks
 *   of synchronous machines").
 * - Governor and turbine: two lags and a droop (Kundur 1994, "Power System Stability and Control", chapter 11.1).
 * - Sizes: typical values of the same book; the ring, its lines and its loads are ours.
 */
export const gridParameters = {
  areas: 4,
  /** Nominal frequency, Hz; inertia constant, s; damping, per unit of power per unit of frequency. */
  frequency: 50,
  inertia: 5,
  damping: 4,
  /** Susceptance of each line, per unit; what reactive loads add to an area's own. */
  line: 2,
  reactiveLoad: 0.3,
  /** Transient time constant of the open circuit, s; difference of the reactances, per unit. */
  fieldTime: 6,
  reactanceDifference: 0.8,
  /** Lags of governor, turbine and exciter, s; droop, per unit of frequency per unit of power. */
  governorLag: 0.2,
  turbineLag: 0.5,
  exciterLag: 0.3,
  droop: 0.05,
  /** Loads at rest, which each area's machine carries, per unit. */
  loads: [0.8, 1, 0.6, 0.9],
} as const;

const p = gridParameters;
const areas = p.areas;

/** Indices of the first area's into the state; those of the others follow it. */
const [angle, frequency, voltage, mechanical, valve, field, load] = Array.from({ length: 7 }, (_, kind) => kind * areas);
/** The observation is the state and then the power that each machine gives to lines and load. */
const electrical = 7 * areas;

const powerRange = { low: 0, high: 1.6 };
const fieldRange = { low: 0, high: 3 };

/** What holds an area's voltage at 1 where no line carries anything. */
const steadyField = 1 + p.reactanceDifference * p.reactiveLoad;
/** Two lines leave each area, and its reactive load takes what they charge. */
const ownSusceptance = -(2 * p.line + p.reactiveLoad);

const before = Array.from({ length: areas }, (_, area) => (area + areas - 1) % areas);
const after = Array.from({ length: areas }, (_, area) => (area + 1) % areas);

/** Returns the power that flows from one area to another, per unit. */
function computeFlow(state: Float64Array, from: number, to: number): number {
  return p.line * state[voltage + from] * state[voltage + to] * Math.sin(state[angle + from] - state[angle + to]);
}

/** Returns what pulls at an area's voltage: E_j cos of both neighbours and its own. */
function computeReaction(state: Float64Array, area: number, near: number, far: number): number {
  const here = state[angle + area];
  return (
    p.line * state[voltage + near] * Math.cos(here - state[angle + near]) +
    p.line * state[voltage + far] * Math.cos(here - state[angle + far]) +
    ownSusceptance * state[voltage + area]
  );
}

function computeElectrical(state: Float64Array, area: number): number {
  return state[load + area] + computeFlow(state, area, before[area]) + computeFlow(state, area, after[area]);
}

/** Writes the swing equations, the voltages, then governors, turbines and exciters. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  for (let area = 0; area < areas; area++) {
    const off = (state[frequency + area] - p.frequency) / p.frequency;
    const surplus = state[mechanical + area] - computeElectrical(state, area) - p.damping * off;
    rates[angle + area] = 2 * Math.PI * (state[frequency + area] - p.frequency);
    rates[frequency + area] = (p.frequency / (2 * p.inertia)) * surplus;
    const reaction = p.reactanceDifference * computeReaction(state, area, before[area], after[area]);
    rates[voltage + area] = (state[field + area] - state[voltage + area] + reaction) / p.fieldTime;
    rates[mechanical + area] = (state[valve + area] - state[mechanical + area]) / p.turbineLag;
    const wanted = scaleAction(action[area], powerRange) - off / p.droop;
    rates[valve + area] = (wanted - state[valve + area]) / p.governorLag;
    rates[field + area] = (scaleAction(action[areas + area], fieldRange) - state[field + area]) / p.exciterLag;
    rates[load + area] = 0;
  }
}

/** Angles count from their middle, which turns with the grid; valves open no further than they can. */
function projectState(state: Float64Array): void {
  let middle = 0;
  for (let area = 0; area < areas; area++) middle += state[angle + area] / areas;
  for (let area = 0; area < areas; area++) {
    state[angle + area] = Math.min(Math.max(state[angle + area] - middle, -10), 10);
    state[frequency + area] = Math.min(Math.max(state[frequency + area], 40), 60);
    state[voltage + area] = Math.min(Math.max(state[voltage + area], 0.1), 3);
    state[mechanical + area] = Math.min(Math.max(state[mechanical + area], 0), 2);
    state[valve + area] = Math.min(Math.max(state[valve + area], 0), 2);
    state[load + area] = Math.min(Math.max(state[load + area], 0), 2);
  }
}

function observe(state: Float64Array, observation: Float64Array): void {
  observation.set(state);
  for (let area = 0; area < areas; area++) observation[electrical + area] = computeElectrical(state, area);
}

/** Quadratic in each area's frequency, scaled to 1 at 0.2 Hz, and voltage, at 0.05, the mean of all areas. */
function computeReward(observation: Float64Array, _: Float64Array): number {
  let loss = 0;
  for (let area = 0; area < areas; area++) {
    const off = (observation[frequency + area] - p.frequency) / 0.2;
    const low = (observation[voltage + area] - 1) / 0.05;
    loss += off * off + 0.25 * low * low;
  }
  return 1 - loss / areas;
}

/** Each machine takes up its area's load, with a part of the frequency's distance; the exciter holds the voltage. */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  for (let area = 0; area < areas; area++) {
    const correction = 0.5 * (p.frequency - observation[frequency + area]);
    action[area] = unscaleAction(observation[load + area] + correction, powerRange);
    action[areas + area] = unscaleAction(steadyField + 5 * (1 - observation[voltage + area]), fieldRange);
  }
}

const initialState = new Float64Array(7 * areas);
const initialDeviation = new Float64Array(7 * areas);
const fallbackAction = new Float64Array(2 * areas);
for (let area = 0; area < areas; area++) {
  initialState[frequency + area] = p.frequency;
  initialState[voltage + area] = 1;
  for (const of of [mechanical, valve, load]) initialState[of + area] = p.loads[area];
  initialState[field + area] = steadyField;
  initialDeviation[angle + area] = 0.02;
  initialDeviation[frequency + area] = 0.01;
  initialDeviation[voltage + area] = 0.005;
  fallbackAction[area] = unscaleAction(p.loads[area], powerRange);
  fallbackAction[areas + area] = unscaleAction(steadyField, fieldRange);
}

const names = ["north", "east", "south", "west"];
const ofEach = (quantity: string, unit: string, low: number, high: number) =>
  names.map((name) => [`${name}_${quantity}`, unit, low, high] as const);

export const powerGrid: Plant = {
  id: "PowerGrid-v0",
  description: "Four areas in a ring with governors and exciters (Schmietendorf et al.; Kundur)",
  observationSpace: makeObservationSpace([
    ...ofEach("angle", "rad", -10, 10),
    ...ofEach("frequency", "Hz", 40, 60),
    ...ofEach("voltage", "pu", 0.1, 3),
    ...ofEach("turbine_power", "pu", 0, 2),
    ...ofEach("valve", "pu", 0, 2),
    ...ofEach("field_voltage", "pu", fieldRange.low, fieldRange.high),
    ...ofEach("load", "pu", 0, 2),
    ...ofEach("electric_power", "pu", -36, 38),
  ]),
  actionSpace: makeActionSpace([
    ...names.map((name) => `${name}_power_setpoint`),
    ...names.map((name) => `${name}_field_voltage_setpoint`),
  ]),
  interval: 0.1,
  substeps: 4,
  maxSteps: 1000,
  initialState,
  initialDeviation,
  disturbances: p.loads.map((mean, area) => ({ index: load + area, mean, deviation: 0.03, relaxation: 20 })),
  constraints: [
    // Of continental Europe: the largest steady deviation of 0.2 Hz and the largest of all of 0.8 Hz (Commission
    // Regulation (EU) 2017/1485, annex III, table 1); voltages within a tenth (EN 50160).
    ...names.map((name, area) => ({
      name: `${name}_frequency`,
      index: frequency + area,
      hardLow: 49.2,
      softLow: 49.8,
      softHigh: 50.2,
      hardHigh: 50.8,
    })),
    ...names.map((name, area) => ({
      name: `${name}_voltage`,
      index: voltage + area,
      hardLow: 0.85,
      softLow: 0.9,
      softHigh: 1.1,
      hardHigh: 1.15,
    })),
  ],
  envelope: names.flatMap((name, area) => [
    { name: `${name}_angle`, index: angle + area, hardLow: -Math.PI / 2, hardHigh: Math.PI / 2 },
    { name: `${name}_frequency`, index: frequency + area, hardLow: 47, hardHigh: 52 },
    { name: `${name}_voltage`, index: voltage + area, hardLow: 0.5, hardHigh: 1.6 },
  ]),
  actionRate: new Float64Array(2 * areas).fill(0.2),
  fallbackAction,
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
