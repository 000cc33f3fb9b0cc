import { createMatmulProgram, createVectorProgram, describeKernel, vectorKernels } from "../programs/kernels.js";
import { checkParamNames, readChoice, readCount, requireRuntime } from "./params.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

/** Steady execution of a vector kernel, with the vector uploaded and the result read back. */
export const tensorExecution: Workload = {
  name: "tensor_execution",
  category: "jax",
  description: "Steady execution of a vector kernel, transfers included",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("tensor_execution", context.params, ["kernel", "size"]);
    const kernel = readChoice(context.params, "kernel", vectorKernels);
    const size = readCount(context.params, "size");
    const { iterate, dispose } = createVectorProgram(requireRuntime(context), kernel, size, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "elements", perIteration: size },
      metadata: { operation: describeKernel(kernel) },
      iterate,
      teardown: dispose,
    };
  },
};

/** What a runtime makes of the machine's arithmetic: products of matrices that stay on the device. */
export const matmul: Workload = {
  name: "matmul",
  category: "jax",
  description: "Product of two square matrices in single precision that are on the device, one number read back",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("matmul", context.params, ["n"]);
    const n = readCount(context.params, "n");
    const { iterate, dispose } = createMatmulProgram(requireRuntime(context), n, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "flops", perIteration: 2 * n ** 3 },
      metadata: { shape: `${n}x${n}` },
      iterate,
      teardown: dispose,
    };
  },
};
