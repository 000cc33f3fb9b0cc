import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Runtime, TensorRuntime } from "./runtime.js";
import { adaptTensorFlow } from "./tfjs.js";

const backend = "@tensorflow/tfjs-backend-wasm";
const require = createRequire(import.meta.url);

async function loadTensorFlow(): Promise<TensorRuntime> {
  try {
    const tf = await import("@tensorflow/tfjs");
    tf.enableProdMode();
    const wasm = await import("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(dirname(require.resolve(backend)) + sep);
    if (!(await tf.setBackend("wasm"))) throw new Error("its wasm backend did not start");
    return adaptTensorFlow(tf, "tfjs-wasm", "cpu", "wasm");
  } catch (cause) {
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `tfjs-wasm: ${errorMessage(cause)}`, { cause });
  }
}

/** TensorFlow.js on its WebAssembly backend: eager kernels with SIMD on the CPU. */
export const tfjsWasm: Runtime = {
  name: "tfjs-wasm",
  devices: ["cpu"],
  compiles: false,
  async probe() {
    try {
      const { version }: { version: string } = require(`${backend}/package.json`);
      require.resolve("@tensorflow/tfjs");
      return { available: true, device: "cpu", version, note: "WebAssembly" };
    } catch (error) {
      return { available: false, reason: errorMessage(error) };
    }
  },
  load: loadTensorFlow,
};
