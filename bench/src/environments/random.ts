/**
 * A seeded generator of pseudo-random numbers: sfc32 of Chris Doty-Humphrey's PractRand, 128 bits of state.
 * The state lives in a typed array, so that drawing allocates nothing.
 */
export interface Random {
  readonly state: Uint32Array;
}

/** Returns a generator. Equal seeds give equal sequences on every machine. */
export function createRandom(seed: number): Random {
  const random = { state: new Uint32Array(4) };
  seedRandom(random, seed);
  return random;
}

/** Begins the generator's sequence anew from the seed. The first outputs, too alike for seeds alike, are discarded. */
export function seedRandom(random: Random, seed: number): void {
  const { state } = random;
  state[0] = seed >>> 0;
  state[1] = Math.floor(seed / 2 ** 32) >>> 0;
  state[2] = 0;
  state[3] = 1;
  for (let i = 0; i < 15; i++) drawBits(random);
}

/** Returns 32 random bits as an unsigned integer. */
function drawBits({ state }: Random): number {
  const a = state[0];
  const b = state[1];
  const c = state[2];
  const result = (a + b + state[3]) >>> 0;
  state[3] += 1;
  state[0] = b ^ (b >>> 9);
  state[1] = c + (c << 3);
  state[2] = ((c << 21) | (c >>> 11)) + result;
  return result;
}

/** Returns a number of [0, 1) with 32 random bits. */
export function drawUniform(random: Random): number {
  return drawBits(random) * 2 ** -32;
}

/** Returns an integer of [0, count). The bias of the scaling is under count / 2^32. */
export function drawIndex(random: Random, count: number): number {
  return Math.floor(drawUniform(random) * count);
}

/** Returns a standard normal number (Box and Muller 1958, the cosine branch). */
export function drawNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - drawUniform(random)));
  return radius * Math.cos(2 * Math.PI * drawUniform(random));
}
