/**
 * Returns the chance that a standard normal number is at most `z`; absolute error under 1e-7 (Abramowitz & Stegun
 * 7.1.26 refined).
 */
export function normalCdf(z: number): number {
  return z > 0 ? 1 - normalTail(z) : normalTail(-z);
}

/**
 * Upper tail for z ≥ 0 by the continued fraction of Abramowitz & Stegun 26.2.14 where it converges fast, else by the
 * series 26.2.11.
 */
function normalTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z > 3) {
    let fraction = z;
    for (let k = 40; k >= 1; k--) fraction = z + k / fraction;
    return density / fraction;
  }
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-17; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return 0.5 - density * sum;
}

/**
 * Returns the standard normal quantile by Newton's steps on the distribution function from Abramowitz & Stegun 26.2.23.
 * @param p strictly between 0 and 1
 */
export function normalQuantile(p: number): number {
  if (p === 0.5) return 0;
  if (p > 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (let step = 0; step < 4; step++) z += ((normalTail(z) - p) / Math.exp((-z * z) / 2)) * Math.sqrt(2 * Math.PI);
  return -z;
}

/**
 * Returns the quantile of Student's t distribution by Hill, "Algorithm 396: Student's t-Quantiles", CACM 13 (1970).
 * @param p strictly between 0 and 1
 * @param degrees of freedom, ≥ 1, not necessarily whole
 */
export function studentQuantile(p: number, degrees: number): number {
  if (p < 0.5) return -studentQuantile(1 - p, degrees);
  const twoTailed = 2 * (1 - p);
  if (twoTailed === 1) return 0;
  if (degrees === 1) return 1 / Math.tan((twoTailed * Math.PI) / 2);
  if (degrees === 2) return Math.sqrt(2 / (twoTailed * (2 - twoTailed)) - 2);
  const a = 1 / (degrees - 0.5);
  const b = (48 / a) * (1 / a);
  let c = ((20700 * a) / b - 98) * a - 16;
  c = c * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * degrees;
  let y = (d * twoTailed) ** (2 / degrees);
  if (y > 0.05 + a) {
    const x = -normalQuantile(1 - twoTailed / 2);
    y = x * x;
    if (degrees < 5) c += 0.3 * (degrees - 4.5) * (x + 0.6);
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = a * y * y;
    y = y > 0.002 ? Math.exp(y) - 1 : 0.5 * y * y + y;
  } else {
    y =
      ((1 / (((degrees + 6) / (degrees * y) - 0.089 * d - 0.822) * (degrees + 2) * 3) + 0.5 / (degrees + 4)) * y - 1) *
        ((degrees + 1) / (degrees + 2)) +
      1 / y;
  }
  return Math.sqrt(degrees * y);
}
