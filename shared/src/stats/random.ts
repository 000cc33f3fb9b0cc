/** Draws uniform numbers in [0, 1). The same seed gives the same sequence on every machine. */
export type Random = () => number;

/**
 * MurmurHash3's finalizer (Appleby 2011) over a Weyl sequence, as SplitMix seeds: spreads one seed over a whole state.
 */
function* spreadSeed(seed: number): Generator<number, never> {
  let state = seed | 0;
  for (;;) {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    yield (z ^ (z >>> 16)) >>> 0;
  }
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

/**
 * Returns a stream of 32-bit integers by xoshiro128**: Blackman & Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM TOMS 47 (2021).
 * @param state four 32-bit words, not all zero; changed with every draw
 */
export function createXoshiro(state: Uint32Array): () => number {
  return () => {
    const drawn = Math.imul(rotateLeft(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotateLeft(state[3], 11);
    return drawn;
  };
}

/** Returns a seeded stream of uniform numbers of 32 bits' resolution. */
export function createRandom(seed: number): Random {
  const words = spreadSeed(seed);
  const next = createXoshiro(Uint32Array.from({ length: 4 }, () => words.next().value));
  return () => next() / 2 ** 32;
}

/** Draws an integer from 0 to `below` − 1. */
export function drawInteger(random: Random, below: number): number {
  return Math.floor(random() * below);
}
