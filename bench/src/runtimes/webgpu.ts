import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { loadJax, readJaxVersion } from "./jax-js.js";
import { importOptional } from "./optional-package.js";
import type { Availability, Device, Runtime, TensorRuntime } from "./runtime.js";

/** What is read of the WebGPU API (W3C, "WebGPU", sections GPU and GPUAdapterInfo). */
interface Gpu {
  requestAdapter(options?: { powerPreference: "high-performance" }): Promise<Adapter | null>;
}
interface Adapter {
  readonly info?: {
    /** Whether the browser or Dawn itself says that it runs on the CPU; left out by older ones. */
    readonly isFallbackAdapter?: boolean;
    readonly vendor: string;
    readonly device: string;
    readonly architecture: string;
    readonly description: string;
  };
}

/** Rasterisers that implement the API on the CPU. */
const softwareAdapters = /swiftshader|lavapipe|llvmpipe|microsoft basic render|software/i;

/**
 * Returns what an adapter executes on: `software` where it runs on the CPU, which is no GPU and must not be compared
 * with one.
 */
export function classifyAdapter(description: string, isFallback = false): Device {
  return isFallback || softwareAdapters.test(description) ? "software" : "gpu";
}

async function findAdapter(): Promise<{ readonly description: string; readonly device: Device }> {
  const scope = globalThis as { navigator?: { gpu?: Gpu; userAgent?: string } };
  if (scope.navigator?.gpu === undefined) {
    // Dawn's binding for Node is an optional peer; its package exports what a browser has in its global scope.
    const dawn = "webgpu";
    const binding = (await importOptional(dawn).catch((cause) => {
      throw new Error("no WebGPU in this Node.js; `npm install webgpu` installs Dawn's binding (docs/runtimes.md)", { cause });
    })) as { create(flags: string[]): Gpu; globals: object };
    Object.assign(globalThis, binding.globals);
    // jax-js reads the name of the browser; Node.js has one from version 21 on, and not where a copy would find it.
    const userAgent = scope.navigator?.userAgent ?? `Node.js/${process.versions.node.split(".")[0]}`;
    Object.defineProperty(globalThis, "navigator", { value: { userAgent, gpu: binding.create([]) }, configurable: true });
  }
  const adapter = await scope.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null || adapter === undefined) throw new Error("WebGPU finds no adapter: no GPU, or no driver for it");
  const { vendor = "", architecture = "", device = "", description = "", isFallbackAdapter } = adapter.info ?? {};
  const words = [vendor, architecture, device, description].filter((word) => word !== "").join(" ");
  return { description: words, device: classifyAdapter(words, isFallbackAdapter) };
}

async function probe(): Promise<Availability> {
  try {
    const { description, device } = await findAdapter();
    const note = device === "software" ? `software device, not a GPU: ${description}` : description;
    return { available: true, device, version: readJaxVersion(), note };
  } catch (error) {
    return { available: false, reason: errorMessage(error) };
  }
}

async function load(): Promise<TensorRuntime> {
  try {
    const { device } = await findAdapter();
    return await loadJax("webgpu", "webgpu", device);
  } catch (cause) {
    if (cause instanceof FleetmarkError) throw cause;
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `webgpu: ${errorMessage(cause)}`, { cause });
  }
}

/** jax-js on its WebGPU device. */
export const webgpu: Runtime = { name: "webgpu", devices: ["gpu", "software"], compiles: true, probe, load };
