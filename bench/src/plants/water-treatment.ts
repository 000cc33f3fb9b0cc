import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * WaterTreatment-v0: a drinking-water plant that coagulates, flocculates, settles and filters, and corrects the pH by
 * caustic soda. Units: minutes, metres, cubic metres, kmol/m3 (mol/L), NTU.
 *
 * - Chemistry: the reaction invariants of strong charge and of carbonate are conserved, and the pH follows from them
 *   (Gustafsson & Waller 1983, "Dynamic modeling and reaction invariant control of pH"; with the equilibrium constants
 *   of Henson & Seborg 1994, "Adaptive nonlinear control of a pH neutralization process"). Alum is a strong acid: 1
 *   mg/L takes 0.5 mg/L CaCO3 of alkalinity.
 * - Flocculation: primary particles attach in proportion to the velocity gradient G, and flocs break up with its
 *   square (Argaman & Kaufman 1970, "Turbulence and flocculation"), with constants of their order. How well they
 *   attach goes by the dose and the pH, after the operating region of Amirtharajah & Mills 1982: that form is ours.
 * - Settling: flocs leave the mixed clarifier by their settling velocity over its surface (Hazen 1904).
 * - Filtration: a constant share passes, and the head loss grows with what is caught (ours).
 */
export const waterParameters = {
  /** Raw water: flow, m3/min; turbidity, NTU; alkalinity and carbonate, kmol/m3. */
  flow: 6,
  turbidity: 20,
  alkalinity: 1.2e-3,
  carbonate: 2e-3,
  /** Flocculation basin: surface, m2; level, m. */
  basinArea: 60,
  level: 3,
  /** Outflow through a full-open valve at the nominal level, m3/min. */
  outletCapacity: 12,
  /** Ionic product of water; first and second dissociation of carbonic acid, pK 6.35 and 10.25 (Henson & Seborg). */
  water: 1e-14,
  first: 10 ** -6.35,
  second: 10 ** -10.25,
  /** Strength of the caustic soda, kmol per litre; acid of alum, kmol/m3 per mg/L. */
  caustic: 1e-3,
  alumAcid: 1e-5,
  /** Attachment, 1; break-up, s. Both times seconds per minute. */
  attachment: 5e-5 * 60,
  breakup: 1e-7 * 60,
  /** Dose of half the attachment, mg/L; pH of the best, and how far from it it falls to 1/e. */
  halfDose: 8,
  bestPh: 7,
  phWidth: 1.5,
  /** Clarifier: volume, m3; surface, m2; settling velocity of flocs, m/min. */
  clarifierVolume: 720,
  clarifierArea: 240,
  settling: 0.1,
  /**
   * Share of turbidity that passes the filter; head loss when it is clean at nominal flow, m; its growth, m/(NTU m3).
   */
  passing: 0.025,
  cleanHead: 0.5,
  headGrowth: 1.2e-5,
  /** Lag of pumps, mixer and valve, min. */
  actuatorLag: 0.5,
  /** Where the plant is kept. */
  ph: 7.2,
  dose: 30,
  gradient: 40,
} as const;

const p = waterParameters;

/** Indices into the state. */
const [charge, carbonate, level, primary, floc, settledPrimary, settledFloc, deposit, base, dose, gradient, valve, rawFlow] =
  Array.from({ length: 13 }, (_, index) => index);
const [rawTurbidity, rawAlkalinity] = [13, 14];
const stateLength = 15;

/** Indices into the observation where it is not the state's. */
const [ph, effluent, headLoss, rawFlowSeen, rawTurbiditySeen] = [0, 7, 8, 13, 14];

const baseRange = { low: 0, high: 15 };
const doseRange = { low: 0, high: 80 };
const gradientRange = { low: 10, high: 100 };
const valveRange = { low: 0, high: 1 };

/** Returns the strong charge that gives a concentration of hydrogen ions, both in kmol/m3. */
function computeCharge(hydrogen: number, total: number): number {
  const hydroxide = p.water / hydrogen;
  const share = (1 + (2 * p.second) / hydrogen) / (1 + hydrogen / p.first + p.second / hydrogen);
  return hydrogen - hydroxide - total * share;
}

/**
 * Returns the pH of water by its invariants, from 0 to 14: the root of a function of ln h that only rises, by Newton's
 * steps within a bracket that closes.
 */
export function computePh(strongCharge: number, total: number): number {
  let low = -14 * Math.LN10;
  let high = 0;
  let u = -7 * Math.LN10;
  for (let i = 0; i < 40; i++) {
    const h = Math.exp(u);
    const hydroxide = p.water / h;
    const above = h / p.first;
    const below = p.second / h;
    const sum = 1 + above + below;
    const numerator = 1 + 2 * below;
    const error = h - hydroxide - (total * numerator) / sum - strongCharge;
    if (error > 0) high = u;
    else low = u;
    const slope = h + hydroxide - total * ((-2 * below * sum - numerator * (above - below)) / (sum * sum));
    const next = u - error / slope;
    const taken = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(taken - u) < 1e-10) break;
    u = taken;
  }
  return Math.min(14, Math.max(0, -u / Math.LN10));
}

/** How well particles attach, from 0 to 1. */
function computeAttachment(amount: number, at: number): number {
  const off = (at - p.bestPh) / p.phWidth;
  return (amount / (amount + p.halfDose)) * Math.exp(-off * off);
}

/** Writes the balances of charge, carbonate, water and particles, then the actuators' lags. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  const inflow = state[rawFlow];
  const volume = p.basinArea * state[level];
  const outflow = p.outletCapacity * state[valve] * Math.sqrt(state[level] / p.level);
  const acid = p.alumAcid * state[dose] - state[rawAlkalinity];
  rates[charge] = (inflow * (acid - state[charge]) - p.caustic * state[base]) / volume;
  rates[carbonate] = (inflow * (p.carbonate - state[carbonate])) / volume;
  rates[level] = (inflow - outflow) / p.basinArea;

  const g = state[gradient];
  const efficiency = computeAttachment(state[dose], computePh(state[charge], state[carbonate]));
  const attached = p.attachment * efficiency * g * state[primary] - p.breakup * g * g * state[floc];
  rates[primary] = (inflow / volume) * (state[rawTurbidity] - state[primary]) - attached;
  rates[floc] = attached - (inflow / volume) * state[floc];

  const exchange = outflow / p.clarifierVolume;
  rates[settledPrimary] = exchange * (state[primary] - state[settledPrimary]);
  rates[settledFloc] =
    exchange * (state[floc] - state[settledFloc]) - ((p.settling * p.clarifierArea) / p.clarifierVolume) * state[settledFloc];
  rates[deposit] = p.headGrowth * outflow * (1 - p.passing) * (state[settledPrimary] + state[settledFloc]);

  rates[base] = (scaleAction(action[0], baseRange) - state[base]) / p.actuatorLag;
  rates[dose] = (scaleAction(action[1], doseRange) - state[dose]) / p.actuatorLag;
  rates[gradient] = (scaleAction(action[2], gradientRange) - state[gradient]) / p.actuatorLag;
  rates[valve] = (scaleAction(action[3], valveRange) - state[valve]) / p.actuatorLag;
  rates[rawFlow] = 0;
  rates[rawTurbidity] = 0;
  rates[rawAlkalinity] = 0;
}

/** The basin ends short of dry and of its rim; nothing is less than none. */
function projectState(state: Float64Array): void {
  state[charge] = Math.min(Math.max(state[charge], -0.02), 0.02);
  state[carbonate] = Math.min(Math.max(state[carbonate], 0), 0.01);
  state[level] = Math.min(Math.max(state[level], 0.5), 5);
  for (let i = primary; i <= deposit; i++) state[i] = Math.max(0, state[i]);
  state[rawFlow] = Math.min(Math.max(state[rawFlow], 2), 10);
  state[rawTurbidity] = Math.min(Math.max(state[rawTurbidity], 1), 200);
  state[rawAlkalinity] = Math.min(Math.max(state[rawAlkalinity], 2e-4), 4e-3);
}

function observe(state: Float64Array, observation: Float64Array): void {
  const outflow = p.outletCapacity * state[valve] * Math.sqrt(state[level] / p.level);
  for (let i = carbonate; i <= settledFloc; i++) observation[i] = state[i];
  observation[ph] = computePh(state[charge], state[carbonate]);
  observation[effluent] = p.passing * (state[settledPrimary] + state[settledFloc]);
  observation[headLoss] = (p.cleanHead * outflow) / p.flow + state[deposit];
  // The head loss takes a place between the tanks and the actuators.
  for (let i = base; i <= valve; i++) observation[i + 1] = state[i];
  observation[rawFlowSeen] = state[rawFlow];
  observation[rawTurbiditySeen] = state[rawTurbidity];
}

/**
 * Quadratic in the pH's and the level's distance, less the turbidity's share of 0.3 NTU, and what the chemicals cost.
 */
function computeReward(observation: Float64Array, _: Float64Array): number {
  const acidity = (observation[ph] - p.ph) / 0.7;
  const height = (observation[level] - p.level) / 0.5;
  const clear = observation[effluent] / 0.3;
  const chemicals = observation[base] / baseRange.high + observation[dose] / doseRange.high;
  return 1.5 - acidity * acidity - 0.1 * height * height - 0.5 * clear * clear - 0.05 * chemicals;
}

const steadyCharge = computeCharge(10 ** -p.ph, p.carbonate);
const steadyBase = (p.flow * (p.alumAcid * p.dose - p.alkalinity - steadyCharge)) / p.caustic;
const residence = (p.basinArea * p.level) / p.flow;
const growth = p.attachment * computeAttachment(p.dose, p.ph) * p.gradient * residence;
const decline = p.breakup * p.gradient * p.gradient * residence;
/** At rest all particles are either primary or in flocs. */
const steadyPrimary = (p.turbidity * (1 + decline)) / (1 + decline + growth);
const steadyFloc = p.turbidity - steadyPrimary;
const steadySettledFloc = steadyFloc / (1 + (p.settling * p.clarifierArea) / p.flow);

/**
 * Caustic soda by the raw water's flow, and proportional to the pH's distance; alum by the raw turbidity; the level by
 * the outlet valve.
 */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  const alum = p.dose + 0.5 * (observation[rawTurbiditySeen] - p.turbidity);
  const soda = steadyBase * (observation[rawFlowSeen] / p.flow) + 4 * (p.ph - observation[ph]);
  action[0] = unscaleAction(soda, baseRange);
  action[1] = unscaleAction(alum, doseRange);
  action[2] = unscaleAction(p.gradient, gradientRange);
  action[3] = unscaleAction(p.flow / p.outletCapacity + 0.3 * (observation[level] - p.level), valveRange);
}

const initialState = new Float64Array(stateLength);
initialState.set([steadyCharge, p.carbonate, p.level, steadyPrimary, steadyFloc, steadyPrimary, steadySettledFloc, 0.2]);
initialState.set([steadyBase, p.dose, p.gradient, p.flow / p.outletCapacity, p.flow, p.turbidity, p.alkalinity], base);
const initialDeviation = new Float64Array(stateLength);
initialDeviation[charge] = 2e-5;
initialDeviation[level] = 0.05;
initialDeviation[primary] = 0.3;

export const waterTreatment: Plant = {
  id: "WaterTreatment-v0",
  description: "Coagulation, flocculation, settling, filtration and pH of drinking water (Argaman & Kaufman; Henson & Seborg)",
  observationSpace: makeObservationSpace([
    ["ph", "1", 0, 14],
    ["carbonate", "mol/L", 0, 0.01],
    ["level", "m", 0.5, 5],
    ["primary_turbidity", "NTU", 0, 500],
    ["floc_turbidity", "NTU", 0, 500],
    ["settled_primary_turbidity", "NTU", 0, 500],
    ["settled_floc_turbidity", "NTU", 0, 500],
    ["effluent_turbidity", "NTU", 0, 25],
    ["head_loss", "m", 0, 50],
    ["caustic_flow", "L/min", baseRange.low, baseRange.high],
    ["alum_dose", "mg/L", doseRange.low, doseRange.high],
    ["velocity_gradient", "1/s", gradientRange.low, gradientRange.high],
    ["outlet_valve", "1", valveRange.low, valveRange.high],
    ["raw_flow", "m3/min", 2, 10],
    ["raw_turbidity", "NTU", 1, 200],
  ]),
  actionSpace: makeActionSpace([
    "caustic_flow_setpoint",
    "alum_dose_setpoint",
    "velocity_gradient_setpoint",
    "outlet_valve_setpoint",
  ]),
  interval: 1,
  substeps: 4,
  maxSteps: 1000,
  initialState,
  initialDeviation,
  disturbances: [
    { index: rawFlow, mean: p.flow, deviation: 0.3, relaxation: 60 },
    { index: rawTurbidity, mean: p.turbidity, deviation: 2, relaxation: 120 },
    { index: rawAlkalinity, mean: p.alkalinity, deviation: 5e-5, relaxation: 120 },
  ],
  constraints: [
    // The secondary standard of the US Environmental Protection Agency, 40 CFR 143.3, and its rule for filtered water,
    // 40 CFR 141.551: 0.3 NTU in 95 % of samples, never over 1 NTU.
    { name: "ph", index: ph, hardLow: 5, softLow: 6.5, softHigh: 8.5, hardHigh: 10 },
    { name: "turbidity", index: effluent, hardLow: -1, softLow: 0, softHigh: 0.3, hardHigh: 1 },
    { name: "level", index: level, hardLow: 1, softLow: 2.5, softHigh: 3.5, hardHigh: 4.5 },
    { name: "head_loss", index: headLoss, hardLow: -2.5, softLow: 0, softHigh: 2, hardHigh: 2.5 },
  ],
  envelope: [
    { name: "ph", index: ph, hardLow: 3, hardHigh: 12 },
    { name: "level", index: level, hardLow: 0.6, hardHigh: 4.9 },
    { name: "head_loss", index: headLoss, hardLow: -0.01, hardHigh: 10 },
  ],
  actionRate: Float64Array.of(0.2, 0.2, 0.2, 0.2),
  fallbackAction: Float64Array.of(
    unscaleAction(steadyBase, baseRange),
    unscaleAction(p.dose, doseRange),
    unscaleAction(p.gradient, gradientRange),
    0,
  ),
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
