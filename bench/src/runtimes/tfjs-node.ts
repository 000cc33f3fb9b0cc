import { createRequire } from "node:module";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import type * as Tf from "@tensorflow/tfjs";
import type { Availability, Runtime, TensorRuntime } from "./runtime.js";
import { adaptTensorFlow } from "./tfjs.js";

const require = createRequire(import.meta.url);

/** Says why an optional package can't be used: never installed, or installed without its native part. */
function explainFailure(packageName: string, error: unknown): string {
  const code = systemErrorCode(error);
  const message = errorMessage(error).split("\n")[0];
  if ((code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") && message.includes(`'${packageName}`)) {
    return `not installed; \`npm install ${packageName}\` installs it`;
  }
  return `its native binding is missing or does not load (${message}); \`npm rebuild ${packageName} --build-addon-from-source\` builds it`;
}

/**
 * TensorFlow.js on the native TensorFlow library. Its packages are optional peers, since their install scripts download the
 * library from outside. Both register the backend `tensorflow`; the GPU build falls back to the CPU where it finds no GPU.
 */
function createNativeRuntime(name: string, device: string): Runtime {
  const packageName = `@tensorflow/${name}`;

  async function load(): Promise<TensorRuntime> {
    try {
      const loaded: { default?: typeof Tf } & typeof Tf = await import(packageName);
      const tf = loaded.default ?? loaded;
      if (!(await tf.setBackend("tensorflow"))) throw new Error("its backend `tensorflow` did not start");
      return adaptTensorFlow(tf, name, device);
    } catch (cause) {
      throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${name}: ${explainFailure(packageName, cause)}`, { cause });
    }
  }

  async function probe(): Promise<Availability> {
    try {
      const { version }: { version: string } = require(`${packageName}/package.json`);
      await load();
      return { available: true, device, version };
    } catch (error) {
      return { available: false, reason: error instanceof FleetmarkError ? error.message : explainFailure(packageName, error) };
    }
  }

  return { name, probe, load };
}

export const tfjsNode: Runtime = createNativeRuntime("tfjs-node", "cpu");
export const tfjsNodeGpu: Runtime = createNativeRuntime("tfjs-node-gpu", "gpu");
