/** Lanczos' approximation of ln Γ(x) for x > 0, with g = 7 and nine terms: relative error under 1e-14. */
function logGamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const base = x + 6.5;
  const sum = terms.reduce((total, term, i) => total + (i === 0 ? term : term / (x - 1 + i)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

/** Keeps a denominator of a continued fraction off zero. */
const guard = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value);

/** The continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22). */
function expandBeta(x: number, a: number, b: number): number {
  let [upper, lower] = [1, 1 / guard(1 - ((a + b) * x) / (a + 1))];
  let fraction = lower;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      lower = 1 / guard(1 + term * lower);
      upper = guard(1 + term / upper);
      fraction *= lower * upper;
    }
    if (Math.abs(lower * upper - 1) < 1e-14) break;
  }
  return fraction;
}

/** The regularised incomplete beta function I_x(a, b), for x from 0 to 1 and positive a and b (DLMF 8.17). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return x < (a + 1) / (a + b + 2) ? (front * expandBeta(x, a, b)) / a : 1 - (front * expandBeta(1 - x, b, a)) / b;
}

/**
 * Returns the chance that a number of Student's t distribution is larger than `t`.
 * @param degrees of freedom, positive, not necessarily whole
 */
export function studentTail(t: number, degrees: number): number {
  const half = incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
  return t > 0 ? half : 1 - half;
}
