import { createRandom, drawUniform } from "../environments/random.js";
import type { Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";
import { createProgram, type Iterate, type Program, readAndFree } from "./program.js";

/** Elementwise and reducing kernels over a vector. */
export const vectorKernels = ["sum_of_squares", "sin_cos_chain"] as const;
export type VectorKernel = (typeof vectorKernels)[number];

/** Links of the chain x → sin x + cos x. */
const chainLength = 4;

/** Vectors that take turns as the input. */
const inputCount = 4;

/** Says in one line what a kernel computes. */
export function describeKernel(kernel: VectorKernel): string {
  return kernel === "sum_of_squares" ? "sum of x^2" : `x → sin x + cos x, ${chainLength} times`;
}

function evaluateKernel(ops: TensorOps, kernel: VectorKernel, x: Tensor): Tensor {
  if (kernel === "sum_of_squares") return ops.sum(ops.square(x));
  let link = x;
  for (let i = 0; i < chainLength; i++) link = ops.add(ops.sin(link), ops.cos(link));
  return link;
}

/** Makes a kernel over vectors of so many elements, drawn uniformly from [-1, 1). */
export function createVectorProgram(runtime: TensorRuntime, kernel: VectorKernel, size: number, seed: number): Program {
  const random = createRandom(seed);
  const inputs = Array.from({ length: inputCount }, () => Float32Array.from({ length: size }, () => 2 * drawUniform(random) - 1));
  return createProgram(runtime, (_, x) => evaluateKernel(runtime.ops, kernel, x), [], inputs, [size]);
}

/** Makes C = A B of n × n matrices that stay on the device, of which the sum is read back. */
export function createMatmulProgram(runtime: TensorRuntime, n: number, seed: number): Program {
  const random = createRandom(seed);
  const draw = (): Tensor =>
    runtime.createTensor(
      Float32Array.from({ length: n * n }, () => 2 * drawUniform(random) - 1),
      [n, n],
    );
  const factors = [draw(), draw()];
  const run = runtime.compile(({ factors: [a, b] }: { readonly factors: readonly Tensor[] }) => ({
    sum: [runtime.ops.sum(runtime.ops.matmul(a, b))],
  }));
  const iterate = (): number | Promise<number> => {
    const outputs = run({ factors });
    return readAndFree(runtime, outputs, outputs.sum[0]);
  };
  return { iterate: iterate as Iterate, dispose: () => runtime.dispose(factors) };
}
