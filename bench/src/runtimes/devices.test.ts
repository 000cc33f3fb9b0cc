import * as tf from "@tensorflow/tfjs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { probeRuntimes, runtimes } from "./registry.js";
import { createNativeRuntime, type NativePackage } from "./tfjs-node.js";
import { classifyAdapter, webgpu } from "./webgpu.js";

/** TensorFlow.js as its native build presents itself, on a machine whose GPU it sees or not. */
function pretendNative(isUsingGpuDevice: boolean): NativePackage {
  const native = { ...tf, setBackend: async () => true, backend: () => ({ isUsingGpuDevice }) };
  return { load: async () => native as unknown as typeof tf, readVersion: () => "4.22.0" };
}

/** A browser's WebGPU with one adapter. */
function pretendAdapter(info: object): void {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => ({ info }) } });
}

afterEach(() => vi.unstubAllGlobals());

test("every runtime says what it may use, each device once", () => {
  for (const { devices } of runtimes) expect(new Set(devices).size).toBe(devices.length);
});

describe("TensorFlow's build for GPUs", () => {
  test("uses the GPU that it sees", async () => {
    const runtime = createNativeRuntime("tfjs-node-gpu", ["gpu", "cpu"], pretendNative(true));
    expect((await runtime.load()).device).toBe("gpu");
    expect(await runtime.probe()).toEqual({ available: true, device: "gpu", version: "4.22.0" });
  });

  test("is on the CPU where it sees none", async () => {
    const runtime = createNativeRuntime("tfjs-node-gpu", ["gpu", "cpu"], pretendNative(false));
    expect((await runtime.load()).device).toBe("cpu");
    expect(await runtime.probe()).toEqual({ available: true, device: "cpu", version: "4.22.0", note: "sees no GPU" });
  });

  test("says what is missing where it does not load", async () => {
    const missing = Object.assign(new Error("Cannot find package '@tensorflow/tfjs-node-gpu'"), { code: "ERR_MODULE_NOT_FOUND" });
    const fails: NativePackage = { load: () => Promise.reject(missing), readVersion: () => "4.22.0" };
    const runtime = createNativeRuntime("tfjs-node-gpu", ["gpu", "cpu"], fails);
    await expect(runtime.load()).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
    expect(await runtime.probe()).toMatchObject({ available: false, reason: expect.stringContaining("not installed") });
  });
});

describe("WebGPU", () => {
  test.each([
    [{ vendor: "nvidia", description: "NVIDIA A100" }, "gpu"],
    [{ vendor: "google", description: "SwiftShader Device (Subzero)" }, "software"],
    [{ vendor: "mesa", description: "llvmpipe (LLVM 15.0.6, 256 bits)" }, "software"],
    [{ vendor: "", description: "", isFallbackAdapter: true }, "software"],
  ])("on the adapter %o is on the device %s", async (info, device) => {
    pretendAdapter(info);
    expect(await webgpu.probe()).toMatchObject({ available: true, device });
    expect(webgpu.devices).toContain(device);
  });

  test("takes an adapter for software by either sign", () => {
    expect(classifyAdapter("NVIDIA A100", true)).toBe("software");
    expect(classifyAdapter("lavapipe", false)).toBe("software");
    expect(classifyAdapter("AMD Radeon", false)).toBe("gpu");
  });
});

describe("probing", () => {
  test("waits for no runtime whose driver never answers", async () => {
    const silent = { ...webgpu, name: "silent", probe: () => new Promise<never>(() => undefined) };
    const found = { available: true, device: "cpu", version: "1" } as const;
    const ready = { ...webgpu, name: "ready", probe: async () => found };
    expect(await probeRuntimes([silent, ready], 0.05)).toEqual([
      { name: "silent", available: false, reason: "no answer within 0.05 s" },
      { name: "ready", ...found },
    ]);
  });
});
