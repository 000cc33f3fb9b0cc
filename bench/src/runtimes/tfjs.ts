import type * as Tf from "@tensorflow/tfjs";
import type { Device, Tensor, TensorOps, TensorRuntime, Tensors } from "./runtime.js";

const toTf = (tensor: Tensor): Tf.Tensor => tensor as unknown as Tf.Tensor;
const fromTf = (tensor: Tf.Tensor): Tensor => tensor as unknown as Tensor;
const toOperand = (operand: Tensor | number): Tf.Tensor | number => (typeof operand === "number" ? operand : toTf(operand));

/**
 * Gradient of a matrix product with explicit transposes. TensorFlow.js's own passes transpose flags to the kernel,
 * which the wasm backend runs 18 times slower than a transpose and a plain product.
 */
function overrideMatmulGradient(tf: typeof Tf): void {
  const transposeInner = (x: Tf.Tensor): Tf.Tensor =>
    tf.transpose(x, [...Array.from({ length: x.rank - 2 }, (_, axis) => axis), x.rank - 1, x.rank - 2]);
  tf.registerGradient({
    kernelName: "BatchMatMul",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, saved, attributes) => {
      const [a, b] = saved;
      const { transposeA, transposeB } = attributes as { transposeA?: boolean; transposeB?: boolean };
      const gradient = dy as Tf.Tensor;
      const left = transposeA ? transposeInner(a) : a;
      const right = transposeB ? transposeInner(b) : b;
      const ofA = (): Tf.Tensor => tf.matMul(gradient, transposeInner(right));
      const ofB = (): Tf.Tensor => tf.matMul(transposeInner(left), gradient);
      return {
        a: () => (transposeA ? transposeInner(ofA()) : ofA()),
        b: () => (transposeB ? transposeInner(ofB()) : ofB()),
      };
    },
  });
}

function createOps(tf: typeof Tf): TensorOps {
  const keepNoGradient = tf.customGrad((x) => {
    const value = (x as Tf.Tensor).clone();
    return { value, gradFunc: (dy: Tf.Tensor) => tf.zerosLike(dy) };
  });
  return {
    matmul: (a, b) => fromTf(tf.matMul(toTf(a), toTf(b))),
    add: (a, b) => fromTf(tf.add(toTf(a), toOperand(b))),
    sub: (a, b) => fromTf(tf.sub(toTf(a), toTf(b))),
    mul: (a, b) => fromTf(tf.mul(toTf(a), toOperand(b))),
    div: (a, b) => fromTf(tf.div(toTf(a), toTf(b))),
    minimum: (a, b) => fromTf(tf.minimum(toTf(a), toTf(b))),
    clip: (a, low, high) => fromTf(tf.clipByValue(toTf(a), low, high)),
    relu: (a) => fromTf(tf.relu(toTf(a))),
    tanh: (a) => fromTf(tf.tanh(toTf(a))),
    sin: (a) => fromTf(tf.sin(toTf(a))),
    cos: (a) => fromTf(tf.cos(toTf(a))),
    square: (a) => fromTf(tf.square(toTf(a))),
    sqrt: (a) => fromTf(tf.sqrt(toTf(a))),
    exp: (a) => fromTf(tf.exp(toTf(a))),
    log: (a) => fromTf(tf.log(toTf(a))),
    abs: (a) => fromTf(tf.abs(toTf(a))),
    sum: (a) => fromTf(tf.sum(toTf(a))),
    mean: (a) => fromTf(tf.mean(toTf(a))),
    concatColumns: (a, b) => fromTf(tf.concat([toTf(a), toTf(b)], 1)),
    stopGradient: (a) => fromTf(keepNoGradient(toTf(a))),
    valueAndGrad(loss, variables) {
      const evaluate = tf.valueAndGrads((...inputs: Tf.Tensor[]) => toTf(loss(inputs.map(fromTf))) as Tf.Scalar);
      const { value, grads } = evaluate(variables.map(toTf));
      return { value: fromTf(value), gradients: grads.map(fromTf) };
    },
  };
}

/** Gives each output a handle of its own where it is an input, or another output, passed through. */
function separateHandles<O extends Tensors>(inputs: Tensors, outputs: O): O {
  const taken = new Set(Object.values(inputs).flat());
  const separate = (tensor: Tensor): Tensor => {
    const own = taken.has(tensor) ? fromTf(toTf(tensor).clone()) : tensor;
    taken.add(own);
    return own;
  };
  return Object.fromEntries(Object.entries(outputs).map(([name, list]) => [name, list.map(separate)])) as unknown as O;
}

/**
 * Adapts a loaded TensorFlow.js, its backend chosen, to the neutral interface. It executes eagerly: compiling is
 * tidying.
 * @param kernels what its backend executes
 */
export function adaptTensorFlow(tf: typeof Tf, name: string, device: Device, kernels: "wasm" | "native"): TensorRuntime {
  // Production mode drops the banner and the warning that a gradient is overridden, and per-operation checks.
  tf.enableProdMode();
  if (kernels === "wasm") overrideMatmulGradient(tf);
  return {
    name,
    device,
    compiles: false,
    readsAtOnce: true,
    ops: createOps(tf),
    // tf.tensor keeps a reference to the array until the backend needs it, so that a reused one would change under it.
    createTensor: (data, shape) => fromTf(tf.tensor(data.slice(), [...shape], "float32")),
    read: (tensor) => toTf(tensor).dataSync<"float32">(),
    dispose: (tensors) => {
      for (const tensor of tensors) toTf(tensor).dispose();
    },
    compile<I extends Tensors, O extends Tensors>(fn: (inputs: I) => O) {
      return (inputs: I) => tf.tidy(() => separateHandles(inputs, fn(inputs)) as unknown as Tf.TensorContainer) as unknown as O;
    },
  };
}
