import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * HVACControl-v0: four zones of an office on a warm day, with one air handling unit, variable air volume boxes and a
 * heat pump. Units: seconds, degrees Celsius, kilograms of air per second, watts.
 *
 * Each zone is a thermal network of two capacities, the air with what stands in it and the walls (the lumped-parameter
 * model of Gouda, Danaher & Underwood 2002, "Building thermal model reduction using nonlinear constrained
 * optimization", in its second-order form); neighbours exchange heat through partitions. Carbon dioxide is one balance
 * over the mixed air. Fans follow the affinity laws (power with the cube of the flow), the heat pump has a constant
 * coefficient of performance. The sizes are ours, those of a floor of four times 100 m2.
 */
export const hvacParameters = {
  zones: 4,
  /** Heat capacity of a zone's air and furniture, and of its walls, J/K. */
  airCapacity: 1.2e6,
  wallCapacity: 1.6e7,
  /** Heat conductances, W/K: air to wall, wall to outside, windows and leakage, partition between neighbours. */
  airToWall: 300,
  wallToOutside: 30,
  windows: 60,
  partition: 80,
  /** Heat capacity of air, J/(kg K); its density, kg/m3. */
  airHeat: 1005,
  airDensity: 1.2,
  /** Window area times transmittance by zone, m2: south, west, north, east. */
  apertures: [6, 4, 1.5, 4],
  /** Heat of people, lights and machines by zone at an occupancy of 1, W. */
  gains: [2500, 2500, 2000, 2000],
  /** Share of outside air in what is supplied. */
  freshAir: 0.3,
  /** Coefficients of performance of the heat pump; fan power at the full flow of all zones, W. */
  coolingPerformance: 3,
  heatingPerformance: 3,
  fanPower: 3000,
  /** Carbon dioxide: outside, ppm; what all people breathe out at an occupancy of 1, m3/s; volume of air, m3. */
  outsideCarbonDioxide: 420,
  breath: 2e-4,
  volume: 1200,
  /** Lags of supply temperature and air volume boxes, s. */
  supplyLag: 180,
  boxLag: 60,
  /** What the day is like: outside temperature, irradiance in W/m2, occupancy; and what the zones are kept at. */
  outside: 30,
  irradiance: 250,
  occupancy: 0.7,
  setpoint: 23,
  supply: 14,
} as const;

const p = hvacParameters;
const zones = p.zones;

/** Indices into the state: zones' air, zones' walls, zones' flows, then what there is one of. */
const air = 0;
const wall = zones;
const flow = 2 * zones;
const [supply, carbonDioxide, outside, irradiance, occupancy] = Array.from({ length: 5 }, (_, i) => 3 * zones + i);
const stateLength = 3 * zones + 5;
/** The observation is the state and then the electric power. */
const power = stateLength;

const supplyRange = { low: 12, high: 35 };
const flowRange = { low: 0.05, high: 0.6 };

/** What stands beside each zone: they lie in a row. */
const neighbours = Array.from({ length: zones }, (_, zone) => [zone - 1, zone + 1].filter((next) => next >= 0 && next < zones));

/** At rest a wall lies between the air and the outside. */
const steadyWall = (p.airToWall * p.setpoint + p.wallToOutside * p.outside) / (p.airToWall + p.wallToOutside);

/** The flow that carries away what a zone at its setpoint takes up, kg/s. */
const steadyFlows = p.gains.map((gain, zone) => {
  const heat =
    p.airToWall * (steadyWall - p.setpoint) +
    p.windows * (p.outside - p.setpoint) +
    gain * p.occupancy +
    p.apertures[zone] * p.irradiance;
  return heat / (p.airHeat * (p.setpoint - p.supply));
});
const steadyFresh = (p.freshAir * steadyFlows.reduce((sum, each) => sum + each, 0)) / p.airDensity;
const steadyCarbonDioxide = p.outsideCarbonDioxide + (1e6 * p.breath * p.occupancy) / steadyFresh;

/** Returns the heat that flows into a zone's air, W, without that of its neighbours. */
function computeZoneHeat(state: Float64Array, zone: number): number {
  const temperature = state[air + zone];
  return (
    p.airToWall * (state[wall + zone] - temperature) +
    p.windows * (state[outside] - temperature) +
    state[flow + zone] * p.airHeat * (state[supply] - temperature) +
    p.gains[zone] * state[occupancy] +
    p.apertures[zone] * state[irradiance]
  );
}

/** Writes the balances of heat and carbon dioxide, then the lags of what is commanded. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  let total = 0;
  for (let zone = 0; zone < zones; zone++) {
    let heat = computeZoneHeat(state, zone);
    const near = neighbours[zone];
    for (let i = 0; i < near.length; i++) heat += p.partition * (state[air + near[i]] - state[air + zone]);
    rates[air + zone] = heat / p.airCapacity;
    rates[wall + zone] =
      (p.airToWall * (state[air + zone] - state[wall + zone]) + p.wallToOutside * (state[outside] - state[wall + zone])) /
      p.wallCapacity;
    rates[flow + zone] = (scaleAction(action[1 + zone], flowRange) - state[flow + zone]) / p.boxLag;
    total += state[flow + zone];
  }
  const fresh = (p.freshAir * total) / p.airDensity;
  rates[supply] = (scaleAction(action[0], supplyRange) - state[supply]) / p.supplyLag;
  rates[carbonDioxide] = (fresh * (p.outsideCarbonDioxide - state[carbonDioxide]) + 1e6 * p.breath * state[occupancy]) / p.volume;
  rates[outside] = 0;
  rates[irradiance] = 0;
  rates[occupancy] = 0;
}

/** Returns what fans and heat pump take, W. */
export function computeElectricPower(state: Float64Array): number {
  let total = 0;
  let carried = 0;
  for (let zone = 0; zone < zones; zone++) {
    total += state[flow + zone];
    carried += state[flow + zone] * state[air + zone];
  }
  const mixed = p.freshAir * state[outside] + (1 - p.freshAir) * (carried / total);
  const cooling = total * p.airHeat * (mixed - state[supply]);
  const share = total / (zones * flowRange.high);
  const pump = cooling > 0 ? cooling / p.coolingPerformance : -cooling / p.heatingPerformance;
  return pump + p.fanPower * share * share * share;
}

/** Keeps what chance moves within what there is under the sun, and the zones where air is air. */
function projectState(state: Float64Array): void {
  for (let i = air; i < flow; i++) state[i] = Math.min(Math.max(state[i], -20), 70);
  for (let i = flow; i < supply; i++) state[i] = Math.min(Math.max(state[i], flowRange.low), flowRange.high);
  state[supply] = Math.min(Math.max(state[supply], supplyRange.low), supplyRange.high);
  state[carbonDioxide] = Math.min(Math.max(state[carbonDioxide], p.outsideCarbonDioxide), 20_000);
  state[outside] = Math.min(Math.max(state[outside], -20), 50);
  state[irradiance] = Math.min(Math.max(state[irradiance], 0), 1000);
  state[occupancy] = Math.min(Math.max(state[occupancy], 0), 2);
}

function observe(state: Float64Array, observation: Float64Array): void {
  observation.set(state);
  observation[power] = computeElectricPower(state);
}

/** Quadratic in each zone's distance from the setpoint, scaled to 1 at 3 K, less the power's share of 12 kW. */
function computeReward(observation: Float64Array, _: Float64Array): number {
  let discomfort = 0;
  for (let zone = 0; zone < zones; zone++) {
    const distance = (observation[air + zone] - p.setpoint) / 3;
    discomfort += distance * distance;
  }
  return 1 - discomfort / zones - (0.2 * observation[power]) / 12_000;
}

/** Proportional control of each zone's flow around what the day needs, at the nominal supply temperature. */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  action[0] = unscaleAction(p.supply, supplyRange);
  for (let zone = 0; zone < zones; zone++) {
    const wanted = steadyFlows[zone] + 0.15 * (observation[air + zone] - p.setpoint);
    action[1 + zone] = unscaleAction(wanted, flowRange);
  }
}

const zoneNames = ["south", "west", "north", "east"];

const initialState = new Float64Array(stateLength);
const initialDeviation = new Float64Array(stateLength);
for (let zone = 0; zone < zones; zone++) {
  initialState[air + zone] = p.setpoint;
  initialState[wall + zone] = steadyWall;
  initialState[flow + zone] = steadyFlows[zone];
  initialDeviation[air + zone] = 0.5;
  initialDeviation[wall + zone] = 0.2;
}
initialState.set([p.supply, steadyCarbonDioxide, p.outside, p.irradiance, p.occupancy], supply);

const fallbackAction = new Float64Array(1 + zones);
fallbackAction[0] = unscaleAction(p.supply, supplyRange);
for (let zone = 0; zone < zones; zone++) fallbackAction[1 + zone] = unscaleAction(steadyFlows[zone], flowRange);

const interval = 60;
const substeps = 2;

/** All numbers by names, those of lists numbered. */
function listParameters(): Record<string, number> {
  const { apertures, gains, ...single } = p;
  return {
    ...single,
    ...Object.fromEntries(apertures.map((each, zone) => [`aperture${zone}`, each])),
    ...Object.fromEntries(gains.map((each, zone) => [`gain${zone}`, each])),
    lowestSupply: supplyRange.low,
    highestSupply: supplyRange.high,
    lowestFlow: flowRange.low,
    highestFlow: flowRange.high,
    interval,
    substeps,
  };
}

export const hvacControl: Plant = {
  id: "HVACControl-v0",
  description: "Four office zones with variable air volume, fresh air and a heat pump (Gouda, Danaher & Underwood)",
  observationSpace: makeObservationSpace([
    ...zoneNames.map((name) => [`${name}_air_temperature`, "degC", -20, 70] as const),
    ...zoneNames.map((name) => [`${name}_wall_temperature`, "degC", -20, 70] as const),
    ...zoneNames.map((name) => [`${name}_air_flow`, "kg/s", flowRange.low, flowRange.high] as const),
    ["supply_air_temperature", "degC", supplyRange.low, supplyRange.high],
    ["carbon_dioxide", "ppm", p.outsideCarbonDioxide, 20_000],
    ["outside_temperature", "degC", -20, 50],
    ["solar_irradiance", "W/m2", 0, 1000],
    ["occupancy", "1", 0, 2],
    ["electric_power", "W", 0, 100_000],
  ]),
  actionSpace: makeActionSpace(["supply_air_temperature_setpoint", ...zoneNames.map((name) => `${name}_air_flow_setpoint`)]),
  interval,
  substeps,
  compiled: { module: "hvac-control", substeps, parameters: listParameters() },
  maxSteps: 1000,
  initialState,
  initialDeviation,
  disturbances: [
    { index: outside, mean: p.outside, deviation: 2, relaxation: 7200 },
    { index: irradiance, mean: p.irradiance, deviation: 80, relaxation: 1800 },
    { index: occupancy, mean: p.occupancy, deviation: 0.1, relaxation: 3600 },
  ],
  constraints: [
    ...zoneNames.map((name, zone) => ({
      name: `${name}_comfort`,
      index: air + zone,
      hardLow: 12,
      softLow: 20,
      softHigh: 26,
      hardHigh: 35,
    })),
    { name: "energy", index: power, hardLow: -16_000, softLow: 0, softHigh: 9000, hardHigh: 16_000 },
    { name: "carbon_dioxide", index: carbonDioxide, hardLow: -5000, softLow: 400, softHigh: 1000, hardHigh: 5000 },
  ],
  envelope: zoneNames.map((name, zone) => ({ name: `${name}_air_temperature`, index: air + zone, hardLow: 0, hardHigh: 50 })),
  actionRate: Float64Array.of(0.2, 0.3, 0.3, 0.3, 0.3),
  fallbackAction,
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
