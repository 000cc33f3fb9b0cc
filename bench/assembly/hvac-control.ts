import { add, clamp, div, get, greatest, mul, scale, set, splat, sub } from "./lanes";
import { areFinite, stepAll } from "./vector-plant";

/**
 * HVACControl-v0, two at a time: the equations of plants/hvac.ts, which says where they come from and whose parameters
 * are imported by their names.
 */

@external("parameters", "airCapacity") declare const airCapacity: f64;
@external("parameters", "wallCapacity") declare const wallCapacity: f64;
@external("parameters", "airToWall") declare const airToWall: f64;
@external("parameters", "wallToOutside") declare const wallToOutside: f64;
@external("parameters", "windows") declare const windows: f64;
@external("parameters", "partition") declare const partition: f64;
@external("parameters", "airHeat") declare const airHeat: f64;
@external("parameters", "airDensity") declare const airDensity: f64;
@external("parameters", "aperture0") declare const aperture0: f64;
@external("parameters", "aperture1") declare const aperture1: f64;
@external("parameters", "aperture2") declare const aperture2: f64;
@external("parameters", "aperture3") declare const aperture3: f64;
@external("parameters", "gain0") declare const gain0: f64;
@external("parameters", "gain1") declare const gain1: f64;
@external("parameters", "gain2") declare const gain2: f64;
@external("parameters", "gain3") declare const gain3: f64;
@external("parameters", "freshAir") declare const freshAir: f64;
@external("parameters", "coolingPerformance") declare const coolingPerformance: f64;
@external("parameters", "heatingPerformance") declare const heatingPerformance: f64;
@external("parameters", "fanPower") declare const fanPower: f64;
@external("parameters", "outsideCarbonDioxide") declare const outsideCarbonDioxide: f64;
@external("parameters", "breath") declare const breath: f64;
@external("parameters", "volume") declare const airVolume: f64;
@external("parameters", "supplyLag") declare const supplyLag: f64;
@external("parameters", "boxLag") declare const boxLag: f64;
@external("parameters", "setpoint") declare const setpoint: f64;
@external("parameters", "lowestSupply") declare const lowestSupply: f64;
@external("parameters", "highestSupply") declare const highestSupply: f64;
@external("parameters", "lowestFlow") declare const lowestFlow: f64;
@external("parameters", "highestFlow") declare const highestFlow: f64;
@external("parameters", "interval") declare const interval: f64;
@external("parameters", "substeps") declare const substeps: f64;

/** Computed once, when the module begins. */
const perAir: f64 = 1 / airCapacity;
const perWall: f64 = 1 / wallCapacity;
const perBox: f64 = 1 / boxLag;
const perSupply: f64 = 1 / supplyLag;
const freshPerFlow: f64 = freshAir / airDensity;
const breathed: f64 = 1e6 * breath;
const perVolume: f64 = 1 / airVolume;
const perFullFlow: f64 = 1 / (4 * highestFlow);

const zones: i32 = 4;
/** Indices into the state: zones' air, zones' walls, zones' flows, then what there is one of. */
const air = 0;
const wall = 4;
const flow = 8;
const supply = 12;
const carbonDioxide = 13;
const outside = 14;
const irradiance = 15;
const occupancy = 16;
const stateLength = 17;
const power = 17;

/** How fast what is commanded is followed. */
@inline function follow(action: v128, low: f64, high: f64, now: v128, perLag: f64): v128 {
  return scale(sub(add(splat(low), scale(add(action, splat(1)), (high - low) / 2)), now), perLag);
}

/** Heat into a zone's air, W, without that of its neighbours. */
@inline function zoneHeat(state: usize, zone: i32, gain: f64, aperture: f64): v128 {
  const temperature = get(state, air + zone);
  const wallHeat = scale(sub(get(state, wall + zone), temperature), airToWall);
  const windowHeat = scale(sub(get(state, outside), temperature), windows);
  const supplied = mul(scale(get(state, flow + zone), airHeat), sub(get(state, supply), temperature));
  const inside = scale(get(state, occupancy), gain);
  return add(add(add(add(wallHeat, windowHeat), supplied), inside), scale(get(state, irradiance), aperture));
}

@inline function setZone(state: usize, action: usize, rates: usize, zone: i32, heat: v128): void {
  const temperature = get(state, air + zone);
  const wallTemperature = get(state, wall + zone);
  set(rates, air + zone, scale(heat, perAir));
  const inward = scale(sub(temperature, wallTemperature), airToWall);
  const outward = scale(sub(get(state, outside), wallTemperature), wallToOutside);
  set(rates, wall + zone, scale(add(inward, outward), perWall));
  set(rates, flow + zone, follow(get(action, 1 + zone), lowestFlow, highestFlow, get(state, flow + zone), perBox));
}

@inline function exchange(state: usize, zone: i32, next: i32): v128 {
  return scale(sub(get(state, air + next), get(state, air + zone)), partition);
}

@inline function sumOfFlows(state: usize): v128 {
  return add(add(get(state, flow), get(state, flow + 1)), add(get(state, flow + 2), get(state, flow + 3)));
}

@unmanaged class Offices {
  @inline stateLength(): i32 { return stateLength; }
  @inline moving(): i32 { return outside; }
  @inline actionLength(): i32 { return 1 + zones; }
  @inline observationLength(): i32 { return stateLength + 1; }
  @inline interval(): f64 { return interval; }
  @inline substeps(): i32 { return <i32>substeps; }
  @inline fineSubsteps(): i32 { return <i32>substeps; }
  @inline findStiff(state: usize, rates: usize): v128 { return i64x2.splat(0); }

  rates(state: usize, action: usize, rates: usize): void {
    const first = exchange(state, 0, 1);
    const second = exchange(state, 1, 2);
    const third = exchange(state, 2, 3);
    setZone(state, action, rates, 0, add(zoneHeat(state, 0, gain0, aperture0), first));
    setZone(state, action, rates, 1, add(sub(zoneHeat(state, 1, gain1, aperture1), first), second));
    setZone(state, action, rates, 2, add(sub(zoneHeat(state, 2, gain2, aperture2), second), third));
    setZone(state, action, rates, 3, sub(zoneHeat(state, 3, gain3, aperture3), third));
    set(rates, supply, follow(get(action, 0), lowestSupply, highestSupply, get(state, supply), perSupply));
    const fresh = scale(sumOfFlows(state), freshPerFlow);
    const washed = mul(fresh, sub(splat(outsideCarbonDioxide), get(state, carbonDioxide)));
    set(rates, carbonDioxide, scale(add(washed, scale(get(state, occupancy), breathed)), perVolume));
  }

  @inline project(state: usize): void {
    for (let i = air; i < flow; i++) set(state, i, clamp(get(state, i), -20, 70));
    for (let i = flow; i < supply; i++) set(state, i, clamp(get(state, i), lowestFlow, highestFlow));
    set(state, supply, clamp(get(state, supply), lowestSupply, highestSupply));
    set(state, carbonDioxide, clamp(get(state, carbonDioxide), outsideCarbonDioxide, 20000));
    set(state, outside, clamp(get(state, outside), -20, 50));
    set(state, irradiance, clamp(get(state, irradiance), 0, 1000));
    set(state, occupancy, clamp(get(state, occupancy), 0, 2));
  }

  @inline observe(state: usize, observed: usize): void {
    for (let i = 0; i < stateLength; i++) set(observed, i, get(state, i));
    let carried = splat(0);
    for (let zone = 0; zone < zones; zone++) carried = add(carried, mul(get(state, flow + zone), get(state, air + zone)));
    const total = sumOfFlows(state);
    const returned = scale(div(carried, total), 1 - freshAir);
    const mixed = add(scale(get(state, outside), freshAir), returned);
    const cooling = mul(scale(total, airHeat), sub(mixed, get(state, supply)));
    const share = scale(total, perFullFlow);
    // What is cooled is above none, what is heated below: one of both is none.
    const pump = add(
      scale(greatest(cooling, splat(0)), 1 / coolingPerformance),
      scale(greatest(sub(splat(0), cooling), splat(0)), 1 / heatingPerformance),
    );
    set(observed, power, add(pump, scale(mul(mul(share, share), share), fanPower)));
  }

  @inline reward(observed: usize, action: usize): v128 {
    let discomfort = splat(0);
    for (let zone = 0; zone < zones; zone++) {
      const distance = scale(sub(get(observed, air + zone), splat(setpoint)), 1.0 / 3);
      discomfort = add(discomfort, mul(distance, distance));
    }
    return sub(sub(splat(1), scale(discomfort, 0.25)), scale(get(observed, power), 0.2 / 12000));
  }
}

export function step(header: usize, pairs: i32): u32 {
  return stepAll<Offices>(changetype<Offices>(0), header, pairs);
}

export { areFinite };
