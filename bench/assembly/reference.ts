/**
 * Work that asks one thing of a machine each, and nothing of a program: what tells a slow host from slow code.
 */

/**
 * STREAM's kernels (McCalpin 1995, "Memory Bandwidth and Machine Balance in Current High Performance Computers") over
 * three arrays of so many numbers of double precision, a multiple of 8.
 * @param kernel 0: c = a; 1: b = 3 c; 2: c = a + b; 3: a = b + 3 c
 */
export function stream(kernel: i32, a: usize, b: usize, c: usize, count: i32): f64 {
  const bytes = <usize>count << 3;
  const three = f64x2.splat(3);
  if (kernel == 0) {
    for (let i: usize = 0; i < bytes; i += 32) {
      v128.store(c + i, v128.load(a + i));
      v128.store(c + i, v128.load(a + i, 16), 16);
    }
  } else if (kernel == 1) {
    for (let i: usize = 0; i < bytes; i += 32) {
      v128.store(b + i, f64x2.mul(three, v128.load(c + i)));
      v128.store(b + i, f64x2.mul(three, v128.load(c + i, 16)), 16);
    }
  } else if (kernel == 2) {
    for (let i: usize = 0; i < bytes; i += 32) {
      v128.store(c + i, f64x2.add(v128.load(a + i), v128.load(b + i)));
      v128.store(c + i, f64x2.add(v128.load(a + i, 16), v128.load(b + i, 16)), 16);
    }
  } else {
    for (let i: usize = 0; i < bytes; i += 32) {
      v128.store(a + i, f64x2.add(v128.load(b + i), f64x2.mul(three, v128.load(c + i))));
      v128.store(a + i, f64x2.add(v128.load(b + i, 16), f64x2.mul(three, v128.load(c + i, 16))), 16);
    }
  }
  return load<f64>(a) + load<f64>(b) + load<f64>(c);
}

/** Integer arithmetic in the first-level cache: so many rounds of sfc32, each waiting for the one before. */
export function integers(rounds: i32, seed: u32): u32 {
  let a = seed;
  let b: u32 = 0;
  let c: u32 = 1;
  let d: u32 = 1;
  for (let i = 0; i < rounds; i++) {
    const result = a + b + d++;
    a = b ^ (b >>> 9);
    b = c + (c << 3);
    c = ((c << 21) | (c >>> 11)) + result;
  }
  return a ^ b ^ c ^ d;
}

/** Floating-point arithmetic without memory: so many rounds of eight independent multiplications and additions, by twos. */
export function floats(rounds: i32, seed: f64): f64 {
  const by = f64x2.splat(0.999999);
  let a = f64x2.splat(seed);
  let b = f64x2.splat(seed + 1);
  let c = f64x2.splat(seed + 2);
  let d = f64x2.splat(seed + 3);
  let e = f64x2.splat(seed + 4);
  let f = f64x2.splat(seed + 5);
  let g = f64x2.splat(seed + 6);
  let h = f64x2.splat(seed + 7);
  for (let i = 0; i < rounds; i++) {
    a = f64x2.add(f64x2.mul(a, by), by);
    b = f64x2.add(f64x2.mul(b, by), by);
    c = f64x2.add(f64x2.mul(c, by), by);
    d = f64x2.add(f64x2.mul(d, by), by);
    e = f64x2.add(f64x2.mul(e, by), by);
    f = f64x2.add(f64x2.mul(f, by), by);
    g = f64x2.add(f64x2.mul(g, by), by);
    h = f64x2.add(f64x2.mul(h, by), by);
  }
  const sum = f64x2.add(f64x2.add(f64x2.add(a, b), f64x2.add(c, d)), f64x2.add(f64x2.add(e, f), f64x2.add(g, h)));
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** Latency of memory: so many loads, each of which tells where the next one is. Returns where it ended. */
export function chase(start: usize, loads: i32): usize {
  let at = start;
  for (let i = 0; i < loads; i++) at = load<u32>(at);
  return at;
}
