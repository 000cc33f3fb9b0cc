import { add, cosOfTurns, log, mul, scale, splat, sub } from "./lanes";

/**
 * Pairs of generators, one an environment: sfc32 as environments/random.ts has it, with the same sequences. A pair's
 * four words lie behind each other, each of two lanes of 32 bits with nothing in the other two.
 */

/** Draws 32 bits in each lane, as numbers of [0, 1). */
@inline function drawUniform(state: usize): v128 {
  const a = v128.load(state);
  const b = v128.load(state, 16);
  const c = v128.load(state, 32);
  const d = v128.load(state, 48);
  const result = i32x4.add(i32x4.add(a, b), d);
  v128.store(state, v128.xor(b, i32x4.shr_u(b, 9)));
  v128.store(state, i32x4.add(c, i32x4.shl(c, 3)), 16);
  v128.store(state, i32x4.add(v128.or(i32x4.shl(c, 21), i32x4.shr_u(c, 11)), result), 32);
  v128.store(state, i32x4.add(d, i32x4.splat(1)), 48);
  return scale(f64x2.convert_low_i32x4_u(result), 1.0 / 4294967296.0);
}

/** Draws a standard normal number in each lane (Box & Muller 1958, the cosine branch). */
@inline export function drawNormal(state: usize): v128 {
  const radius = f64x2.sqrt(scale(log(sub(splat(1), drawUniform(state))), -2));
  return mul(radius, cosOfTurns(drawUniform(state)));
}
