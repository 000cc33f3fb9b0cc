import { add, clamp, div, exp, get, greatest, least, mul, scale, set, splat, sub } from "./lanes";
import { areFinite, stepAll } from "./vector-plant";

/**
 * ChemicalReactor-v0, two at a time: the equations of plants/chemical-reactor.ts, which says where they come from and
 * whose parameters are imported by their names.
 */

@external("parameters", "heatCapacity") declare const heatCapacity: f64;
@external("parameters", "reactionHeat") declare const reactionHeat: f64;
@external("parameters", "activationTemperature") declare const activationTemperature: f64;
@external("parameters", "frequencyFactor") declare const frequencyFactor: f64;
@external("parameters", "heatTransfer") declare const heatTransfer: f64;
@external("parameters", "volume") declare const nominalVolume: f64;
@external("parameters", "jacketVolume") declare const jacketVolume: f64;
@external("parameters", "coolantHeatCapacity") declare const coolantHeatCapacity: f64;
@external("parameters", "outletCapacity") declare const outletCapacity: f64;
@external("parameters", "vesselVolume") declare const vesselVolume: f64;
@external("parameters", "gasYield") declare const gasYield: f64;
@external("parameters", "ventCapacity") declare const ventCapacity: f64;
@external("parameters", "ambientPressure") declare const ambientPressure: f64;
@external("parameters", "gasConstant") declare const gasConstant: f64;
@external("parameters", "actuatorLag") declare const actuatorLag: f64;
@external("parameters", "steadyTemperature") declare const steadyTemperature: f64;
@external("parameters", "steadyConcentration") declare const steadyConcentration: f64;
@external("parameters", "interval") declare const interval: f64;
@external("parameters", "substeps") declare const substeps: f64;
@external("parameters", "fineSubsteps") declare const fineSubsteps: f64;
@external("parameters", "fineAbove") declare const fineAbove: f64;

/** Computed once, when the module begins. */
const perLag: f64 = 1 / actuatorLag;
const heating: f64 = reactionHeat / heatCapacity;
const perHeatCapacity: f64 = 1 / heatCapacity;
const perJacket: f64 = 1 / jacketVolume;
const perJacketHeat: f64 = 1 / (jacketVolume * coolantHeatCapacity);
const perVolume: f64 = 1 / nominalVolume;

/** Indices into the state, and into the observation but for the pressure. */
const concentration = 0;
const temperature = 1;
const jacket = 2;
const volume = 3;
const gas = 4;
const feed = 5;
const coolant = 6;
const outlet = 7;
const feedTemp = 8;
const feedConc = 9;
const coolantTemp = 10;
const transfer = 11;

@inline function pressureOf(state: usize): v128 {
  return div(mul(scale(get(state, gas), gasConstant), get(state, temperature)), sub(splat(vesselVolume), get(state, volume)));
}

/** How fast an actuator moves towards what an action commands within its range. */
@inline function follow(action: v128, low: f64, high: f64, now: v128): v128 {
  return scale(sub(add(splat(low), scale(add(action, splat(1)), (high - low) / 2)), now), perLag);
}

@unmanaged class Reactor {
  @inline stateLength(): i32 { return 12; }
  @inline moving(): i32 { return 8; }
  @inline actionLength(): i32 { return 3; }
  @inline observationLength(): i32 { return 12; }
  @inline interval(): f64 { return interval; }

  @inline substeps(): i32 { return <i32>substeps; }
  @inline fineSubsteps(): i32 { return <i32>fineSubsteps; }
  /** Lanes in which the reaction runs away. */
  @inline findStiff(state: usize, rates: usize): v128 {
    const now = get(state, temperature);
    const soon = add(now, scale(get(rates, temperature), interval));
    return f64x2.gt(greatest(now, soon), splat(fineAbove));
  }

  rates(state: usize, action: usize, rates: usize): void {
    const liquid = get(state, volume);
    const kelvin = get(state, temperature);
    const inverse = div(splat(1), liquid);
    const amount = get(state, concentration);
    const arrhenius = exp(div(splat(-activationTemperature), least(kelvin, splat(600))));
    const reaction = mul(scale(arrhenius, frequencyFactor), amount);
    const exchange = mul(scale(get(state, transfer), heatTransfer), sub(get(state, jacket), kelvin));
    const dilution = mul(get(state, feed), inverse);
    set(rates, concentration, sub(mul(dilution, sub(get(state, feedConc), amount)), reaction));
    const heat = add(scale(reaction, heating), scale(mul(exchange, inverse), perHeatCapacity));
    set(rates, temperature, add(mul(dilution, sub(get(state, feedTemp), kelvin)), heat));
    const flushing = mul(scale(get(state, coolant), perJacket), sub(get(state, coolantTemp), get(state, jacket)));
    set(rates, jacket, sub(flushing, scale(exchange, perJacketHeat)));
    const outflow = mul(scale(get(state, outlet), outletCapacity), f64x2.sqrt(scale(liquid, perVolume)));
    set(rates, volume, sub(get(state, feed), outflow));
    const vent = scale(greatest(sub(pressureOf(state), splat(ambientPressure)), splat(0)), ventCapacity);
    set(rates, gas, sub(mul(scale(reaction, gasYield), liquid), vent));
    set(rates, feed, follow(get(action, 0), 50, 150, get(state, feed)));
    set(rates, coolant, follow(get(action, 1), 0, 300, get(state, coolant)));
    set(rates, outlet, follow(get(action, 2), 0, 1, get(state, outlet)));
  }

  @inline project(state: usize): void {
    const none = splat(0);
    set(state, concentration, greatest(get(state, concentration), none));
    set(state, volume, clamp(get(state, volume), 5, vesselVolume - 5));
    set(state, gas, greatest(get(state, gas), none));
    set(state, temperature, clamp(get(state, temperature), 273.15, 1000));
    set(state, feedConc, greatest(get(state, feedConc), none));
    set(state, transfer, greatest(get(state, transfer), none));
  }

  @inline observe(state: usize, observed: usize): void {
    for (let i = 0; i < 12; i++) set(observed, i, get(state, i));
    set(observed, gas, pressureOf(state));
  }

  @inline reward(observed: usize, action: usize): v128 {
    const heat = scale(sub(get(observed, temperature), splat(steadyTemperature)), 1.0 / 20);
    const product = scale(sub(get(observed, concentration), splat(steadyConcentration)), 4);
    const level = scale(sub(get(observed, volume), splat(nominalVolume)), 1.0 / 20);
    const effort = get(action, 1);
    const held = sub(sub(splat(1), mul(heat, heat)), scale(mul(product, product), 0.25));
    return sub(sub(held, scale(mul(level, level), 0.1)), scale(mul(effort, effort), 0.01));
  }
}

export function step(header: usize, pairs: i32): u32 {
  return stepAll<Reactor>(changetype<Reactor>(0), header, pairs);
}

export { areFinite };
