import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { loadJax, readJaxVersion } from "./jax-js.js";
import type { Availability, Runtime, TensorRuntime } from "./runtime.js";

/** What is read of the WebGPU API (W3C, "WebGPU", sections GPU and GPUAdapterInfo). */
interface Gpu {
  requestAdapter(options?: { powerPreference: "high-performance" }): Promise<Adapter | null>;
}
interface Adapter {
  readonly info?: {
    readonly vendor: string;
    readonly device: string;
    readonly architecture: string;
    readonly description: string;
  };
}

/** Rasterisers that implement the API on the CPU. They are labelled, and never ranked as GPUs. */
const softwareDevices = /swiftshader|lavapipe|llvmpipe|microsoft basic render|software/i;

/** Returns the label of an adapter: `gpu`, or `software` for one that runs on the CPU. */
export function labelAdapter(description: string): "gpu" | "software" {
  return softwareDevices.test(description) ? "software" : "gpu";
}

async function findAdapter(): Promise<{ readonly description: string; readonly label: "gpu" | "software" }> {
  const scope = globalThis as { navigator?: { gpu?: Gpu } };
  if (scope.navigator?.gpu === undefined) {
    // Dawn's binding for Node is an optional peer; its package exports what a browser has in its global scope.
    const dawn = "webgpu";
    const binding: { create(flags: string[]): Gpu; globals: object } = await import(dawn).catch((cause) => {
      throw new Error("no WebGPU in this Node.js; `npm install webgpu` installs Dawn's binding", { cause });
    });
    Object.assign(globalThis, binding.globals);
    Object.defineProperty(globalThis, "navigator", {
      value: { ...scope.navigator, gpu: binding.create([]) },
      configurable: true,
    });
  }
  const adapter = await scope.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null || adapter === undefined) throw new Error("WebGPU finds no adapter: no GPU, or no driver for it");
  const { vendor = "", architecture = "", device = "", description = "" } = adapter.info ?? {};
  const words = [vendor, architecture, device, description].filter((word) => word !== "").join(" ");
  return { description: words, label: labelAdapter(words) };
}

async function probe(): Promise<Availability> {
  try {
    const { description, label } = await findAdapter();
    const note = label === "software" ? `software device, not a GPU: ${description}` : description;
    return { available: true, device: label, version: readJaxVersion(), note };
  } catch (error) {
    return { available: false, reason: errorMessage(error) };
  }
}

async function load(): Promise<TensorRuntime> {
  try {
    const { label } = await findAdapter();
    return await loadJax("webgpu", "webgpu", label);
  } catch (cause) {
    if (cause instanceof FleetmarkError) throw cause;
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `webgpu: ${errorMessage(cause)}`, { cause });
  }
}

/** jax-js on its WebGPU device. */
export const webgpu: Runtime = { name: "webgpu", probe, load };
