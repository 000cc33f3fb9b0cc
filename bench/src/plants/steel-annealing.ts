import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * SteelAnnealing-v0: a continuous annealing line, in which a steel strip runs through three heating sections, a soaking
 * section, a passive cooling section and a section of gas jets. Units: seconds, kelvin, metres, watts.
 *
 * - Strip: thin, so that its temperature is one over its thickness; a balance of heat for each section, mixed within
 *   it (Incropera & DeWitt, "Fundamentals of Heat and Mass Transfer", chapter 5.1 on lumped capacitance).
 * - Radiation between walls and strip by the law of Stefan and Boltzmann, the gas jets by a coefficient.
 * - Recrystallisation in the soaking section: first order with Arrhenius' law, which is the equation of Johnson & Mehl
 *   1939 and Avrami 1939 with an exponent of 1.
 *
 * The line's sizes are ours, within what such lines have.
 */
export const annealingParameters = {
  sections: 6,
  /** Length of a section, width of the strip, m; what of the strip sees the walls of a section, both sides, m2. */
  sectionLength: 60,
  width: 1.2,
  area: 144,
  /** Steel: density, kg/m3; heat capacity, J/(kg K). */
  density: 7850,
  heatCapacity: 620,
  /** Stefan and Boltzmann's constant, W/(m2 K4); emissivity of strip and walls together. */
  radiation: 5.670374e-8,
  emissivity: 0.3,
  /** Heat capacity of a section's walls and of the jets' gas, J/K. */
  wallCapacity: 2e7,
  gasCapacity: 2e6,
  /** Losses, W/K: of heated walls, of the passive section, of the gas's heat exchanger. */
  wallLoss: 1000,
  ambient: 300,
  /** Recrystallisation: frequency factor, 1/s; activation energy over the gas constant, K (250 kJ/mol). */
  frequencyFactor: 3.8e12,
  activationTemperature: 250_000 / 8.314462,
  /** Lags of burners, fans and drives, s. */
  actuatorLag: 10,
  /** The strip as it enters, K; its thickness, m; its speed, m/s. */
  entry: 300,
  thickness: 1e-3,
  speed: 2,
  /** The profile that is wanted: the strip's temperature in each section, K. */
  profile: [640, 900, 1060, 1083, 950, 700],
  /** Temperature of the jets' gas at rest, K. */
  gas: 320,
} as const;

const p = annealingParameters;
const sections = p.sections;
const [soak, passive, jets] = [3, 4, 5];
const heated = 4;

/** Indices into the state: strip by section, walls by section, what is commanded, and what there is one of. */
const strip = 0;
const wall = sections;
const power = 2 * sections;
const [jet, speed, thickness, emissivity] = Array.from({ length: 4 }, (_, i) => power + heated + i);
const stateLength = power + heated + 4;
/** The observation is the state but for the emissivity, in whose place it has the share of recrystallised steel. */
const recrystallised = emissivity;

const powerRange = { low: 0, high: 8e6 };
const jetRange = { low: 0, high: 150 };
const speedRange = { low: 1, high: 3 };

/** Returns the heat that a unit of a strip's surface takes up from walls, W/m2. */
function computeRadiation(from: number, to: number, emission: number): number {
  return emission * p.radiation * (from * from * from * from - to * to * to * to);
}

/**
 * Returns the share of the steel that has recrystallised where it leaves the soaking section: that of a mixed section
 * at rest, for it follows the temperature within a second.
 */
export function computeRecrystallised(kelvin: number, metresPerSecond: number): number {
  const rate = p.frequencyFactor * Math.exp(-p.activationTemperature / kelvin);
  return 1 - 1 / (1 + (rate * p.sectionLength) / metresPerSecond);
}

/** The heat that a section's strip takes up at rest, W/m2 of its two sides. */
const steadyHeat = p.profile.map((kelvin, i) => {
  const before = i === 0 ? p.entry : p.profile[i - 1];
  return (p.density * p.heatCapacity * p.thickness * (p.speed / p.sectionLength) * (kelvin - before)) / 2;
});
/** The walls that give it. */
const steadyWalls = p.profile.map((kelvin, i) =>
  i === jets ? p.gas : (steadyHeat[i] / (p.emissivity * p.radiation) + kelvin ** 4) ** 0.25,
);
const steadyPowers = steadyWalls.slice(0, heated).map((kelvin, i) => p.area * steadyHeat[i] + p.wallLoss * (kelvin - p.ambient));
const steadyJet = steadyHeat[jets] / (p.gas - p.profile[jets]);
/** What the passive section and the heat exchanger of the jets must lose for their temperatures to stay, W/K. */
const passiveLoss = (-p.area * steadyHeat[passive]) / (steadyWalls[passive] - p.ambient);
const gasLoss = (-p.area * steadyHeat[jets]) / (p.gas - p.ambient);

/** Writes the balances of strip and walls, section by section, then the actuators' lags. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  const exchange = state[speed] / p.sectionLength;
  const held = p.density * p.heatCapacity * state[thickness];
  let before: number = p.entry;
  for (let i = 0; i < sections; i++) {
    const here = state[strip + i];
    const around = state[wall + i];
    const heat = i === jets ? state[jet] * (around - here) : computeRadiation(around, here, state[emissivity]);
    rates[strip + i] = exchange * (before - here) + (2 * heat) / held;
    const given = i < heated ? state[power + i] : 0;
    const loss = i < heated ? p.wallLoss : i === passive ? passiveLoss : gasLoss;
    const capacity = i === jets ? p.gasCapacity : p.wallCapacity;
    rates[wall + i] = (given - p.area * heat - loss * (around - p.ambient)) / capacity;
    before = here;
  }
  for (let i = 0; i < heated; i++) {
    rates[power + i] = (scaleAction(action[i], powerRange) - state[power + i]) / p.actuatorLag;
  }
  rates[jet] = (scaleAction(action[heated], jetRange) - state[jet]) / p.actuatorLag;
  rates[speed] = (scaleAction(action[heated + 1], speedRange) - state[speed]) / p.actuatorLag;
  rates[thickness] = 0;
  rates[emissivity] = 0;
}

/** Nothing is colder than what comes in, nor hotter than what melts. */
function projectState(state: Float64Array): void {
  for (let i = strip; i < power; i++) state[i] = Math.min(Math.max(state[i], 290), 1800);
  state[thickness] = Math.min(Math.max(state[thickness], 4e-4), 2e-3);
  state[emissivity] = Math.min(Math.max(state[emissivity], 0.15), 0.5);
}

function observe(state: Float64Array, observation: Float64Array): void {
  observation.set(state);
  observation[recrystallised] = computeRecrystallised(state[strip + soak], state[speed]);
}

/** Quadratic in the distance of the soaking and of the last temperature, with the tonnage, less the energy. */
function computeReward(observation: Float64Array, _: Float64Array): number {
  const soaked = (observation[strip + soak] - p.profile[soak]) / 20;
  const left = (observation[strip + jets] - p.profile[jets]) / 40;
  let burnt = 0;
  for (let i = 0; i < heated; i++) burnt += observation[power + i] / powerRange.high;
  const tonnage = (observation[speed] * observation[thickness]) / (p.speed * p.thickness);
  return 0.5 * tonnage + 0.6 - soaked * soaked - 0.25 * left * left - (0.1 * burnt) / heated;
}

/** Each burner by its section's strip, as much more as the strip is thicker and faster; the jets by the last one's. */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  const load = (observation[speed] * observation[thickness]) / (p.speed * p.thickness);
  for (let i = 0; i < heated; i++) {
    const wanted = steadyPowers[i] + p.area * steadyHeat[i] * (load - 1) + 20_000 * (p.profile[i] - observation[strip + i]);
    action[i] = unscaleAction(wanted, powerRange);
  }
  action[heated] = unscaleAction(steadyJet * load + 0.3 * (observation[strip + jets] - p.profile[jets]), jetRange);
  action[heated + 1] = unscaleAction(p.speed, speedRange);
}

const initialState = new Float64Array(stateLength);
initialState.set([...p.profile, ...steadyWalls, ...steadyPowers, steadyJet, p.speed, p.thickness, p.emissivity]);
const initialDeviation = new Float64Array(stateLength);
initialDeviation.fill(2, strip, power);

const names = ["first_heating", "second_heating", "third_heating", "soaking", "slow_cooling", "jet_cooling"];

export const steelAnnealing: Plant = {
  id: "SteelAnnealing-v0",
  description: "Continuous annealing of a steel strip: radiant heating, soaking, jet cooling, recrystallisation",
  observationSpace: makeObservationSpace([
    ...names.map((name) => [`${name}_strip_temperature`, "K", 290, 1800] as const),
    ...names.map((name) => [`${name}_wall_temperature`, "K", 290, 1800] as const),
    ...names.slice(0, heated).map((name) => [`${name}_power`, "W", powerRange.low, powerRange.high] as const),
    ["jet_coefficient", "W/(m2 K)", jetRange.low, jetRange.high],
    ["speed", "m/s", speedRange.low, speedRange.high],
    ["thickness", "m", 4e-4, 2e-3],
    ["recrystallised_share", "1", 0, 1],
  ]),
  actionSpace: makeActionSpace([
    ...names.slice(0, heated).map((name) => `${name}_power_setpoint`),
    "jet_coefficient_setpoint",
    "speed_setpoint",
  ]),
  interval: 5,
  substeps: 2,
  maxSteps: 1000,
  initialState,
  initialDeviation,
  disturbances: [
    { index: thickness, mean: p.thickness, deviation: 2e-5, relaxation: 300 },
    { index: emissivity, mean: p.emissivity, deviation: 0.005, relaxation: 600 },
  ],
  constraints: [
    { name: "soaking_temperature", index: strip + soak, hardLow: 950, softLow: 1058, softHigh: 1108, hardHigh: 1200 },
    { name: "exit_temperature", index: strip + jets, hardLow: 450, softLow: 650, softHigh: 750, hardHigh: 900 },
    ...names.slice(0, heated).map((name, i) => ({
      name: `${name}_wall`,
      index: wall + i,
      hardLow: 280,
      softLow: 290,
      softHigh: 1300,
      hardHigh: 1450,
    })),
    { name: "recrystallised", index: recrystallised, hardLow: 0.5, softLow: 0.95, softHigh: 1.01, hardHigh: 1.02 },
  ],
  envelope: names.map((name, i) => ({ name: `${name}_strip_temperature`, index: strip + i, hardLow: 291, hardHigh: 1500 })),
  actionRate: new Float64Array(heated + 2).fill(0.2),
  fallbackAction: Float64Array.of(
    ...steadyPowers.map((watts) => unscaleAction(watts, powerRange)),
    unscaleAction(steadyJet, jetRange),
    unscaleAction(p.speed, speedRange),
  ),
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
