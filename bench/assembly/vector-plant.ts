import { add, get, greatest, least, mul, scale, set, splat, sub } from "./lanes";
import { drawNormal } from "./random";

/**
 * One control interval of many environments of a plant, two at a time: what environments/process-environment.ts and
 * safety.ts do for one, in the same order. What a plant brings is in its own file.
 *
 * Memory is laid out by environments/wasm-vector-environment.ts, which fills the header with addresses and the tables
 * with the plant's numbers. States, actions and observations of a pair lie behind each other as pairs of numbers;
 * wanted actions come, and observations go, one environment after the other.
 */

/** Header: where what lies. In the order of `headerFields` on the other side. */
@unmanaged class Header {
  states: usize;
  generators: usize;
  before: usize;
  observed: usize;
  wanted: usize;
  observations: usize;
  rewards: usize;
  terminated: usize;
  truncated: usize;
  steps: usize;
  /** Tables: per constraint, limit, disturbance and action, as numbers of double precision. */
  constraints: usize;
  constraintCount: usize;
  envelope: usize;
  envelopeCount: usize;
  disturbances: usize;
  disturbanceCount: usize;
  actions: usize;
  /** Room for one pair: rates of four stages, probes, an observation. */
  scratch: usize;
  maxSteps: usize;
  isChecked: usize;
}

/** Where rows of the tables have their numbers. Indices are numbers too. */
const constraintWidth: usize = 5 * 8;
const limitWidth: usize = 3 * 8;
const disturbanceWidth: usize = 4 * 8;
const actionWidth: usize = 4 * 8;

/** Share of its margin that a constraint may lose in one interval. */
const decay: f64 = 0.1;
const costPenalty: f64 = 1;
const lowestReward: f64 = -1;
const violationPenalty: f64 = 100;

@inline function number(row: usize, index: i32): v128 {
  return v128.load64_splat(row + (<usize>index << 3));
}

@inline function indexOf(row: usize): i32 {
  return <i32>load<f64>(row);
}

/** Writes base + step × rates of what moves, and the rest as it is. */
@inline function advance(base: usize, rates: usize, step: f64, target: usize, moving: i32, count: i32): void {
  const by = splat(step);
  for (let i = 0; i < moving; i++) set(target, i, add(get(base, i), mul(by, get(rates, i))));
  for (let i = moving; i < count; i++) set(target, i, get(base, i));
}

@inline function measureMargin(row: usize, observed: usize): v128 {
  const value = get(observed, indexOf(row));
  return least(sub(value, number(row, 1)), sub(number(row, 4), value));
}

/** Clips the wanted actions, limits their rate, and says where the fallback must take over. */
@inline function takeActions<P>(plant: P, header: Header, pair: i32, action: usize): void {
  const length = plant.actionLength();
  const before = header.before + <usize>(pair * length) * 16;
  const first = header.wanted + <usize>(2 * pair * length) * 8;
  for (let k = 0; k < length; k++) {
    const row = header.actions + <usize>k * actionWidth;
    const wanted = v128.load64_lane(first + <usize>(length + k) * 8, v128.load64_zero(first + <usize>k * 8), 1);
    let taken = least(greatest(wanted, number(row, 0)), number(row, 1));
    if (header.isChecked) {
      const last = get(before, k);
      taken = least(greatest(taken, sub(last, number(row, 2))), add(last, number(row, 2)));
    }
    set(action, k, taken);
  }
}

/** The barrier check: in lanes whose margins would shrink too fast, the fallback takes over. Returns those lanes. */
@inline function filterActions<P>(plant: P, header: Header, state: usize, observed: usize, action: usize, rates: usize, next: usize, seen: usize): v128 {
  advance(state, rates, plant.interval(), next, plant.moving(), plant.stateLength());
  plant.project(next);
  plant.observe(next, seen);
  let failing = i64x2.splat(0);
  for (let i: usize = 0; i < header.constraintCount; i++) {
    const row = header.constraints + i * constraintWidth;
    failing = v128.or(failing, f64x2.lt(measureMargin(row, seen), scale(measureMargin(row, observed), 1 - decay)));
  }
  if (v128.any_true(failing)) {
    for (let k = 0; k < plant.actionLength(); k++) {
      const fallback = number(header.actions + <usize>k * actionWidth, 3);
      set(action, k, v128.bitselect(fallback, get(action, k), failing));
    }
  }
  return failing;
}

/** The classical fourth-order Runge-Kutta method, so many steps in an interval; the first rates are known or not. */
function integrate<P>(plant: P, state: usize, action: usize, scratch: usize, substeps: i32, isBegun: bool): void {
  const moving = plant.moving();
  const length = plant.stateLength();
  const size = <usize>length * 16;
  const k1 = scratch;
  const k2 = scratch + size;
  const k3 = scratch + 2 * size;
  const k4 = scratch + 3 * size;
  const probe = scratch + 4 * size;
  const step = plant.interval() / <f64>substeps;
  for (let n = 0; n < substeps; n++) {
    if (n > 0 || !isBegun) plant.rates(state, action, k1);
    advance(state, k1, step / 2, probe, moving, length);
    plant.rates(probe, action, k2);
    advance(state, k2, step / 2, probe, moving, length);
    plant.rates(probe, action, k3);
    advance(state, k3, step, probe, moving, length);
    plant.rates(probe, action, k4);
    for (let i = 0; i < moving; i++) {
      const sum = add(add(get(k1, i), scale(add(get(k2, i), get(k3, i)), 2)), get(k4, i));
      set(state, i, add(get(state, i), scale(sum, step / 6)));
    }
    plant.project(state);
  }
}

/** Integrates a pair, each lane in as many steps as its own state asks for: its neighbour must not matter. */
@inline function move<P>(plant: P, state: usize, action: usize, scratch: usize): void {
  const stiff = plant.findStiff(state, scratch);
  if (!v128.any_true(stiff)) {
    integrate<P>(plant, state, action, scratch, plant.substeps(), true);
    return;
  }
  const length = plant.stateLength();
  const finely = scratch + 5 * <usize>length * 16;
  for (let i = 0; i < length; i++) set(finely, i, get(state, i));
  integrate<P>(plant, state, action, scratch, plant.substeps(), true);
  integrate<P>(plant, finely, action, scratch, plant.fineSubsteps(), false);
  for (let i = 0; i < length; i++) set(state, i, v128.bitselect(get(finely, i), get(state, i), stiff));
}

@inline function disturb(header: Header, pair: i32, state: usize): void {
  const generator = header.generators + <usize>pair * 64;
  for (let i: usize = 0; i < header.disturbanceCount; i++) {
    const row = header.disturbances + i * disturbanceWidth;
    const index = indexOf(row);
    const mean = number(row, 1);
    const kept = mul(number(row, 2), sub(get(state, index), mean));
    set(state, index, add(add(mean, kept), mul(number(row, 3), drawNormal(generator))));
  }
}

/** Lanes in which a hard limit is violated, or a number is none. */
@inline function findViolations(header: Header, observed: usize): v128 {
  let within = i64x2.splat(-1);
  for (let i: usize = 0; i < header.envelopeCount; i++) {
    const row = header.envelope + i * limitWidth;
    const value = get(observed, indexOf(row));
    within = v128.and(within, v128.and(f64x2.ge(value, number(row, 1)), f64x2.le(value, number(row, 2))));
  }
  if (header.isChecked) {
    for (let i: usize = 0; i < header.constraintCount; i++) {
      const row = header.constraints + i * constraintWidth;
      const value = get(observed, indexOf(row));
      within = v128.and(within, v128.and(f64x2.ge(value, number(row, 1)), f64x2.le(value, number(row, 4))));
    }
  }
  return v128.not(within);
}

/** The sum over soft limits of the excess, each as a fraction of the distance from the soft to the hard limit. */
@inline function computeCost(header: Header, observed: usize): v128 {
  let cost = splat(0);
  for (let i: usize = 0; i < header.constraintCount; i++) {
    const row = header.constraints + i * constraintWidth;
    const value = get(observed, indexOf(row));
    const above = greatest(sub(value, number(row, 3)), splat(0));
    const below = greatest(sub(number(row, 2), value), splat(0));
    const high = sub(number(row, 4), number(row, 3));
    const low = sub(number(row, 2), number(row, 1));
    cost = add(cost, f64x2.div(above, high));
    cost = add(cost, f64x2.div(below, low));
  }
  return cost;
}

@inline function tell<P>(plant: P, header: Header, pair: i32, action: usize, observed: usize): u32 {
  const length = plant.observationLength();
  const first = header.observations + <usize>(2 * pair * length) * 8;
  for (let i = 0; i < length; i++) {
    const value = get(observed, i);
    v128.store64_lane(first + <usize>i * 8, value, 0);
    v128.store64_lane(first + <usize>(length + i) * 8, value, 1);
  }
  const violated = findViolations(header, observed);
  let reward = plant.reward(observed, action);
  if (header.isChecked) reward = sub(reward, scale(computeCost(header, observed), costPenalty));
  reward = greatest(reward, splat(lowestReward));
  reward = sub(reward, v128.and(violated, splat(violationPenalty)));
  v128.store(header.rewards + <usize>pair * 16, reward);
  const mask = i64x2.bitmask(violated);
  let ended: u32 = 0;
  for (let lane = 0; lane < 2; lane++) {
    const at = 2 * pair + lane;
    const steps = load<u32>(header.steps + <usize>at * 4) + 1;
    store<u32>(header.steps + <usize>at * 4, steps);
    const isTerminated: u32 = (mask >> lane) & 1;
    const isTruncated: u32 = <usize>steps >= header.maxSteps ? 1 : 0;
    store<u8>(header.terminated + at, isTerminated);
    store<u8>(header.truncated + at, isTruncated);
    ended += isTerminated | isTruncated;
  }
  return ended;
}

/** Steps pairs of environments. Returns how many of the environments ended. */
@inline export function stepAll<P>(plant: P, address: usize, pairs: i32): u32 {
  const header = changetype<Header>(address);
  const stateSize = <usize>plant.stateLength() * 16;
  const scratch = <usize>header.scratch;
  const action = scratch + 6 * stateSize;
  const seen = action + <usize>plant.actionLength() * 16;
  let ended: u32 = 0;
  for (let pair = 0; pair < pairs; pair++) {
    const state = header.states + <usize>pair * stateSize;
    const observed = header.observed + <usize>(pair * plant.observationLength()) * 16;
    takeActions<P>(plant, header, pair, action);
    plant.rates(state, action, scratch);
    if (header.isChecked) {
      const failing = filterActions<P>(plant, header, state, observed, action, scratch, scratch + 5 * stateSize, seen);
      if (v128.any_true(failing)) plant.rates(state, action, scratch);
    }
    const before = header.before + <usize>(pair * plant.actionLength()) * 16;
    for (let k = 0; k < plant.actionLength(); k++) set(before, k, get(action, k));
    move<P>(plant, state, action, scratch);
    disturb(header, pair, state);
    plant.project(state);
    plant.observe(state, observed);
    ended += tell<P>(plant, header, pair, action, observed);
  }
  return ended;
}

/** Whether so many numbers are all finite. */
export function areFinite(numbers: usize, count: i32): bool {
  let sum = splat(0);
  let i = 0;
  for (; i + 2 <= count; i += 2) sum = add(sum, scale(v128.load(numbers + <usize>i * 8), 0));
  let rest: f64 = 0;
  for (; i < count; i++) rest += 0 * load<f64>(numbers + <usize>i * 8);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1) + rest == 0;
}
