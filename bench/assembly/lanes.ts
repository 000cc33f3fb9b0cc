/**
 * Arithmetic on two numbers of double precision side by side: of two environments, which are stepped together.
 */

@inline export function splat(x: f64): v128 { return f64x2.splat(x); }
@inline export function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
@inline export function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
@inline export function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }
@inline export function div(a: v128, b: v128): v128 { return f64x2.div(a, b); }
@inline export function scale(a: v128, b: f64): v128 { return f64x2.mul(a, f64x2.splat(b)); }
@inline export function least(a: v128, b: v128): v128 { return f64x2.pmin(a, b); }
@inline export function greatest(a: v128, b: v128): v128 { return f64x2.pmax(a, b); }
@inline export function clamp(a: v128, low: f64, high: f64): v128 { return f64x2.pmin(f64x2.pmax(a, splat(low)), splat(high)); }

/** The number of a list of pairs. */
@inline export function get(pairs: usize, index: i32): v128 { return v128.load(pairs + (<usize>index << 4)); }
@inline export function set(pairs: usize, index: i32, value: v128): void { v128.store(pairs + (<usize>index << 4), value); }

const ln2High: f64 = 6.93147180369123816490e-1;
const ln2Low: f64 = 1.90821492927058770002e-10;

/**
 * e^x for |x| < 700, to within two units in the last place: x = k ln 2 + r with ln 2 in two parts (Cody & Waite 1980),
 * and the Taylor polynomial of degree 13 at |r| < 0.35, by Estrin's scheme.
 */
@inline export function exp(x: v128): v128 {
  const k = f64x2.nearest(scale(x, 1.44269504088896338700));
  const r = sub(sub(x, scale(k, ln2High)), scale(k, ln2Low));
  const r2 = mul(r, r);
  const r4 = mul(r2, r2);
  const r8 = mul(r4, r4);
  const p01 = add(splat(1), r);
  const p23 = add(splat(0.5), scale(r, 1.0 / 6));
  const p45 = add(splat(1.0 / 24), scale(r, 1.0 / 120));
  const p67 = add(splat(1.0 / 720), scale(r, 1.0 / 5040));
  const p89 = add(splat(1.0 / 40320), scale(r, 1.0 / 362880));
  const pab = add(splat(1.0 / 3628800), scale(r, 1.0 / 39916800));
  const pcd = add(splat(1.0 / 479001600), scale(r, 1.0 / 6227020800));
  const low = add(add(p01, mul(r2, p23)), mul(r4, add(p45, mul(r2, p67))));
  const high = add(add(p89, mul(r2, pab)), mul(r4, pcd));
  const value = add(low, mul(r8, high));
  // 2^k: k into the exponent's bits.
  const bits = i64x2.shl(i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(k)), 52);
  return i64x2.add(value, bits);
}

/**
 * The natural logarithm of x > 0, to within a unit or two in the last place: x = 2^k m with m near 1, and the series of
 * log((1 + s) / (1 - s)) in s = (m - 1) / (m + 1), its coefficients those of fdlibm (Sun Microsystems 1993, e_log.c).
 */
@inline export function log(x: v128): v128 {
  // The mantissa from sqrt(1/2) to sqrt(2).
  const shifted = i64x2.sub(x, i64x2.splat(0x3fe6a09e00000000));
  const k = f64x2.convert_low_i32x4_s(i32x4.shr_s(v128.shuffle<i32>(shifted, shifted, 1, 3, 1, 3), 20));
  const m = i64x2.sub(x, v128.and(shifted, i64x2.splat(0xfff0000000000000)));
  const f = sub(m, splat(1));
  const s = div(f, add(splat(2), f));
  const z = mul(s, s);
  const w = mul(z, z);
  const even = mul(w, add(splat(3.999999999940941908e-1), mul(w, add(splat(2.222219843214978396e-1), scale(w, 1.531383769920937332e-1)))));
  const odd = mul(
    z,
    add(
      splat(6.666666666666735130e-1),
      mul(w, add(splat(2.857142874366239149e-1), mul(w, add(splat(1.818357216161805012e-1), scale(w, 1.479819860511658591e-1))))),
    ),
  );
  const half = scale(mul(f, f), 0.5);
  const rest = sub(half, add(mul(s, add(half, add(even, odd))), scale(k, ln2Low)));
  return sub(scale(k, ln2High), sub(rest, f));
}

/**
 * cos(2 pi v) for 0 <= v < 1: by quarters of a turn, with fdlibm's polynomials for sine and cosine within an eighth of
 * one (Sun Microsystems 1993, k_sin.c and k_cos.c).
 */
@inline export function cosOfTurns(v: v128): v128 {
  const quarters = scale(v, 4);
  const quarter = f64x2.nearest(quarters);
  const r = scale(sub(quarters, quarter), Math.PI / 2);
  const z = mul(r, r);
  const sine = add(
    r,
    mul(
      mul(r, z),
      add(
        splat(-1.66666666666666324348e-1),
        mul(
          z,
          add(
            splat(8.33333333332248946124e-3),
            mul(
              z,
              add(
                splat(-1.98412698298579493134e-4),
                mul(z, add(splat(2.75573137070700676789e-6), mul(z, add(splat(-2.50507602534068634195e-8), scale(z, 1.58969099521155010221e-10))))),
              ),
            ),
          ),
        ),
      ),
    ),
  );
  const tail = mul(
    z,
    add(
      splat(4.16666666666666019037e-2),
      mul(
        z,
        add(
          splat(-1.38888888888741095749e-3),
          mul(z, add(splat(2.48015872894767294178e-5), mul(z, add(splat(-2.75573143513906633035e-7), mul(z, add(splat(2.08757232129817482790e-9), scale(z, -1.13596475577881948265e-11))))))),
        ),
      ),
    ),
  );
  const cosine = add(sub(splat(1), scale(z, 0.5)), mul(z, tail));
  // cos, -sin, -cos, sin of what is left, by the quarter.
  const turn = i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(quarter));
  const isOdd = i64x2.sub(i64x2.splat(0), v128.and(turn, i64x2.splat(1)));
  const chosen = v128.bitselect(sine, cosine, isOdd);
  const sign = i64x2.shl(v128.and(i64x2.add(turn, i64x2.splat(1)), i64x2.splat(2)), 62);
  return v128.xor(chosen, sign);
}
