import { createRequire } from "node:module";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import type * as Tf from "@tensorflow/tfjs";
import { importOptional, readOptionalVersion } from "./optional-package.js";
import type { Availability, Device, Runtime, TensorRuntime } from "./runtime.js";
import { adaptTensorFlow } from "./tfjs.js";

const require = createRequire(import.meta.url);

/** Says why an optional package can't be used: never installed, or installed without its native part. */
function explainFailure(packageName: string, error: unknown): string {
  const code = systemErrorCode(error);
  const message = errorMessage(error).split("\n")[0];
  if ((code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") && message.includes(`'${packageName}`)) {
    return `not installed; \`make ${packageName.replace("@tensorflow/", "")}\` builds it (docs/runtimes.md)`;
  }
  return `its native binding is missing or does not load (${message}); docs/runtimes.md says how to build it`;
}

/** A package that binds the native library: how it is loaded, and which version is installed. Either may throw. */
export interface NativePackage {
  load(): Promise<typeof Tf>;
  readVersion(): string;
}

/** The package asks these of Node.js, which has none of them from version 23 on. */
function restoreTypeChecks(): void {
  const util: Record<string, unknown> = require("node:util");
  util.isNullOrUndefined ??= (value: unknown): boolean => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

function openPackage(packageName: string): NativePackage {
  return {
    load: async () => {
      restoreTypeChecks();
      const loaded = (await importOptional(packageName)) as { default?: typeof Tf } & typeof Tf;
      return loaded.default ?? loaded;
    },
    readVersion: () => readOptionalVersion(packageName),
  };
}

/**
 * Returns the device that the backend `tensorflow` executes on: the GPU build goes on with the CPU where it sees no
 * GPU.
 */
function findDevice(tf: typeof Tf): Device {
  const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
  return isUsingGpuDevice === true ? "gpu" : "cpu";
}

/**
 * TensorFlow.js on the native TensorFlow library. Its packages are optional peers, since their install scripts
 * download the library from outside. Both register the backend `tensorflow`.
 */
export function createNativeRuntime(
  name: string,
  devices: Runtime["devices"],
  native: NativePackage = openPackage(`@tensorflow/${name}`),
): Runtime {
  const packageName = `@tensorflow/${name}`;

  async function load(): Promise<TensorRuntime> {
    try {
      const tf = await native.load();
      if (!(await tf.setBackend("tensorflow"))) throw new Error("its backend `tensorflow` did not start");
      return adaptTensorFlow(tf, name, findDevice(tf), "native");
    } catch (cause) {
      throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${name}: ${explainFailure(packageName, cause)}`, { cause });
    }
  }

  async function probe(): Promise<Availability> {
    try {
      const version = native.readVersion();
      const { device } = await load();
      const found: Availability = { available: true, device, version };
      return device === devices[0] ? found : { ...found, note: `sees no ${devices[0].toUpperCase()}` };
    } catch (error) {
      return { available: false, reason: error instanceof FleetmarkError ? error.message : explainFailure(packageName, error) };
    }
  }

  return { name, devices, compiles: false, probe, load };
}

export const tfjsNode: Runtime = createNativeRuntime("tfjs-node", ["cpu"]);
export const tfjsNodeGpu: Runtime = createNativeRuntime("tfjs-node-gpu", ["gpu", "cpu"]);
