import { createMatmulProgram } from "../programs/kernels.js";
import { checkParamNames, readCount, requireRuntime } from "./params.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

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
