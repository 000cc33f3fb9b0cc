import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * SupplyChain-v0: two products that go from a supplier through a factory and a central warehouse to two stores. Units:
 * days, and units of a product.
 *
 * Stocks, pipelines and backlogs are those of system dynamics (Sterman 2000, "Business Dynamics", chapters 17 and 18;
 * Forrester 1961, "Industrial Dynamics"): a pipeline delivers its content over its lead time, nothing leaves a stock
 * faster than it can be handled, and what customers can't be given is owed to them. The factory's capacity is shared.
 * Sizes are ours.
 */
export const supplyParameters = {
  products: 2,
  /** What customers of each store ask for, per day, by product. */
  demand: [
    [20, 15],
    [10, 12],
  ],
  /** Lead times, days: purchase, production, transport to the warehouse, to the north and to the south store. */
  lead: [4, 2, 2, 1, 1],
  /** Days within which a stock can be handed out, and those within which what is owed is made good. */
  handling: 0.5,
  settling: 1,
  /** What the factory makes of all products together, per day. */
  capacity: 120,
  /** Days of demand that each stock is kept at. */
  cover: 5,
} as const;

const p = supplyParameters;
const products = p.products;
/** Stages of the chain: raw material, finished goods, warehouse, north and south store. */
const stages = 5;
const [raw, goods, warehouse, north, south] = [0, 1, 2, 3, 4];
const stores = 2;
const perProduct = stages + stages + stores + stores;

/** Indices into the part of the state that is a product's: stocks, pipelines into them, backlogs, demands. */
const [stock, pipeline, backlog, demand] = [0, stages, 2 * stages, 2 * stages + stores];

/** What goes through each stage at rest, per day. */
const steadyFlows = p.demand.map(([toNorth, toSouth]) => [
  toNorth + toSouth,
  toNorth + toSouth,
  toNorth + toSouth,
  toNorth,
  toSouth,
]);
const ranges = steadyFlows.map((flows) => flows.map((flow) => ({ low: 0, high: 2.5 * flow })));

/** Returns what is handed out of a stock, per day: what is asked for, as far as it can be handled. */
function handOut(asked: number, held: number): number {
  return Math.min(asked, held / p.handling);
}

/** Returns by what factor production is cut back so that all products together fit into the factory. */
function computeCutback(state: Float64Array, action: Float64Array): number {
  let total = 0;
  for (let product = 0; product < products; product++) {
    const asked = scaleAction(action[product * stages + goods], ranges[product][goods]);
    total += handOut(asked, state[product * perProduct + stock + raw]);
  }
  return total > p.capacity ? p.capacity / total : 1;
}

/** Writes the balances of every stock, pipeline and backlog. Demands do not move within a day. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  const cutback = computeCutback(state, action);
  for (let product = 0; product < products; product++) {
    const at = product * perProduct;
    const ordered = product * stages;
    const purchase = scaleAction(action[ordered + raw], ranges[product][raw]);
    const production = cutback * handOut(scaleAction(action[ordered + goods], ranges[product][goods]), state[at + stock + raw]);
    const transport = handOut(scaleAction(action[ordered + warehouse], ranges[product][warehouse]), state[at + stock + goods]);
    const toNorth = scaleAction(action[ordered + north], ranges[product][north]);
    const toSouth = scaleAction(action[ordered + south], ranges[product][south]);
    // Where both stores ask for more than can be handled, each gets its share.
    const asked = toNorth + toSouth;
    const share = asked > 0 ? handOut(asked, state[at + stock + warehouse]) / asked : 0;

    rates[at + pipeline + raw] = purchase;
    rates[at + pipeline + goods] = production;
    rates[at + pipeline + warehouse] = transport;
    rates[at + pipeline + north] = share * toNorth;
    rates[at + pipeline + south] = share * toSouth;
    rates[at + stock + raw] = -production;
    rates[at + stock + goods] = -transport;
    rates[at + stock + warehouse] = -share * asked;
    for (let store = 0; store < stores; store++) {
      const wanted = state[at + demand + store];
      const owed = state[at + backlog + store];
      const sold = handOut(wanted + owed / p.settling, state[at + stock + north + store]);
      rates[at + stock + north + store] = -sold;
      rates[at + backlog + store] = wanted - sold;
      rates[at + demand + store] = 0;
    }
    for (let stage = 0; stage < stages; stage++) {
      const arriving = state[at + pipeline + stage] / p.lead[stage];
      rates[at + pipeline + stage] -= arriving;
      rates[at + stock + stage] += arriving;
    }
  }
}

/** Nothing is less than none. */
function projectState(state: Float64Array): void {
  for (let i = 0; i < state.length; i++) state[i] = Math.min(Math.max(state[i], 0), 1e5);
}

function observe(state: Float64Array, observation: Float64Array): void {
  observation.set(state);
}

/** Less the share of days' demand that is owed to customers, and what holding stocks costs. */
function computeReward(observation: Float64Array, _: Float64Array): number {
  let owed = 0;
  let held = 0;
  let wanted = 0;
  for (let product = 0; product < products; product++) {
    const at = product * perProduct;
    for (let stage = 0; stage < stages; stage++) held += observation[at + stock + stage];
    for (let store = 0; store < stores; store++) {
      owed += observation[at + backlog + store];
      wanted += observation[at + demand + store];
    }
  }
  const days = Math.max(1, wanted);
  return 1 - (0.01 * held) / days - (0.5 * owed) / days;
}

/**
 * Orders up to a level: each stage replaces what its customers took, and makes up for what its stock and pipeline lack
 * (John, Naim & Towill 1994, "Dynamic analysis of a WIP compensated decision support system").
 */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  for (let product = 0; product < products; product++) {
    const at = product * perProduct;
    const total = observation[at + demand] + observation[at + demand + 1];
    for (let stage = 0; stage < stages; stage++) {
      const flow = steadyFlows[product][stage];
      const isStore = stage >= north;
      const taken = isStore ? observation[at + demand + stage - north] : total;
      const owed = isStore ? observation[at + backlog + stage - north] : 0;
      const lacking = p.cover * flow - observation[at + stock + stage] + owed;
      const underway = p.lead[stage] * flow - observation[at + pipeline + stage];
      action[product * stages + stage] = unscaleAction(taken + lacking / 4 + underway / 8, ranges[product][stage]);
    }
  }
}

const initialState = new Float64Array(products * perProduct);
const initialDeviation = new Float64Array(products * perProduct);
for (let product = 0; product < products; product++) {
  const at = product * perProduct;
  for (let stage = 0; stage < stages; stage++) {
    initialState[at + stock + stage] = p.cover * steadyFlows[product][stage];
    initialState[at + pipeline + stage] = p.lead[stage] * steadyFlows[product][stage];
    initialDeviation[at + stock + stage] = 0.1 * steadyFlows[product][stage];
  }
  for (let store = 0; store < stores; store++) initialState[at + demand + store] = p.demand[product][store];
}

const productNames = ["first", "second"];
const stageNames = ["raw", "goods", "warehouse", "north", "south"];
const storeNames = stageNames.slice(north);
const ofProduct = (name: string) => [
  ...stageNames.map((stage) => [`${name}_${stage}_stock`, "1", 0, 1e5] as const),
  ...stageNames.map((stage) => [`${name}_${stage}_pipeline`, "1", 0, 1e5] as const),
  ...storeNames.map((store) => [`${name}_${store}_backlog`, "1", 0, 1e5] as const),
  ...storeNames.map((store) => [`${name}_${store}_demand`, "1/d", 0, 1e5] as const),
];

export const supplyChain: Plant = {
  id: "SupplyChain-v0",
  description: "Two products from supplier through factory and warehouse to two stores (Sterman; Forrester)",
  observationSpace: makeObservationSpace(productNames.flatMap(ofProduct)),
  actionSpace: makeActionSpace(productNames.flatMap((name) => stageNames.map((stage) => `${name}_${stage}_orders`))),
  interval: 1,
  substeps: 8,
  maxSteps: 365,
  initialState,
  initialDeviation,
  disturbances: p.demand.flatMap((ofStores, product) =>
    ofStores.map((mean, store) => ({
      index: product * perProduct + demand + store,
      mean,
      deviation: 0.1 * mean,
      relaxation: 5,
    })),
  ),
  constraints: productNames.flatMap((name, product) => [
    // A customer waits for as many days as the backlog has of demand.
    ...storeNames.map((store, i) => ({
      name: `${name}_${store}_delay`,
      index: product * perProduct + backlog + i,
      hardLow: -5 * p.demand[product][i],
      softLow: 0,
      softHigh: 0.5 * p.demand[product][i],
      hardHigh: 5 * p.demand[product][i],
    })),
    ...stageNames.map((stage, i) => ({
      name: `${name}_${stage}_inventory`,
      index: product * perProduct + stock + i,
      hardLow: -40 * steadyFlows[product][i],
      softLow: 0,
      softHigh: 10 * steadyFlows[product][i],
      hardHigh: 40 * steadyFlows[product][i],
    })),
  ]),
  envelope: productNames.flatMap((name, product) =>
    stageNames.map((stage, i) => ({
      name: `${name}_${stage}_stock`,
      index: product * perProduct + stock + i,
      hardLow: -1,
      hardHigh: 100 * steadyFlows[product][i],
    })),
  ),
  actionRate: new Float64Array(products * stages).fill(1),
  fallbackAction: Float64Array.from(
    productNames.flatMap((_, product) => steadyFlows[product].map((flow, i) => unscaleAction(flow, ranges[product][i]))),
  ),
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
