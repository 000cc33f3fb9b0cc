/**
 * The forward pass of a multilayer perceptron in single precision: rectified linear units within, the hyperbolic
 * tangent at the end. What an embedded controller runs, and nothing else.
 *
 * A layer's outputs are computed sixteen at a time. Its weights lie in the order in which they are read, as
 * runtimes/wasm.ts packs them: blocks of sixteen outputs, of each block all inputs, of each input sixteen weights. Rows
 * of numbers are padded to a multiple of sixteen.
 */

/** One layer on one row: output = max(floor, bias + input × weights). */
function applyLayer(input: usize, output: usize, weights: usize, bias: usize, inputs: i32, blocks: i32, floor: f32): void {
  const least = f32x4.splat(floor);
  let weight = weights;
  for (let block = 0; block < blocks; block++) {
    const at = <usize>block << 6;
    let a = v128.load(bias + at);
    let b = v128.load(bias + at, 16);
    let c = v128.load(bias + at, 32);
    let d = v128.load(bias + at, 48);
    for (let i = 0; i < inputs; i++) {
      const x = v128.load32_splat(input + (<usize>i << 2));
      a = f32x4.add(a, f32x4.mul(x, v128.load(weight)));
      b = f32x4.add(b, f32x4.mul(x, v128.load(weight, 16)));
      c = f32x4.add(c, f32x4.mul(x, v128.load(weight, 32)));
      d = f32x4.add(d, f32x4.mul(x, v128.load(weight, 48)));
      weight += 64;
    }
    v128.store(output + at, f32x4.pmax(a, least));
    v128.store(output + at, f32x4.pmax(b, least), 16);
    v128.store(output + at, f32x4.pmax(c, least), 32);
    v128.store(output + at, f32x4.pmax(d, least), 48);
  }
}

/**
 * Applies a policy to rows of observations, one behind the other, and writes rows of actions.
 * @param layers per layer four words: inputs, blocks of sixteen outputs, address of the weights, address of the bias
 * @param scratch room for two rows of the widest layer, of `width` bytes each
 */
export function forward(
  layers: usize,
  count: i32,
  observations: usize,
  actions: usize,
  rows: i32,
  observationLength: i32,
  actionLength: i32,
  scratch: usize,
  width: usize,
): void {
  for (let row = 0; row < rows; row++) {
    let input = observations + (<usize>(row * observationLength) << 2);
    let output = scratch;
    for (let n = 0; n < count; n++) {
      const layer = layers + (<usize>n << 4);
      const isLast = n == count - 1;
      output = scratch + (n & 1 ? width : 0);
      applyLayer(input, output, load<u32>(layer, 8), load<u32>(layer, 12), load<i32>(layer), load<i32>(layer, 4), isLast ? -Infinity : 0);
      input = output;
    }
    for (let i = 0; i < actionLength; i++) {
      const sum = load<f32>(output + (<usize>i << 2));
      store<f32>(actions + (<usize>(row * actionLength + i) << 2), Mathf.tanh(sum));
    }
  }
}
