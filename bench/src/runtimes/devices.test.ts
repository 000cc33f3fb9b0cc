import * as tf from "@tensorflow/tfjs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { probeRuntimes, readAnswer } from "./probe.js";
import { runtimes } from "./registry.js";
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
  const printed = (stdout: string) => readAnswer({ state: "ok", stdout, seconds: 1 });

  test("reads what a runtime's process said last", () => {
    const found = { available: true, device: "cpu", version: "1" } as const;
    expect(printed(`Welcome\n${JSON.stringify(found)}\n`)).toEqual(found);
    expect(printed('{"available":false,"reason":"no GPU"}')).toEqual({ available: false, reason: "no GPU" });
  });

  test.each(["", "Segmentation fault", '{"available":true}', '{"available":true,"device":"tpu","version":"1"}', "[]"])(
    "takes nothing else for an answer: %j",
    (text) => expect(printed(text)).toMatchObject({ available: false, reason: expect.stringContaining("its probe printed") }),
  );

  test("tells of a process that died or hangs", async () => {
    const ends = {
      dead: { state: "failed", reason: "killed by SIGSEGV", seconds: 1 },
      hung: { state: "timed_out", reason: "no end within 60 s", seconds: 60 },
    } as const;
    expect(await probeRuntimes(["dead", "hung"], async (name) => ends[name as keyof typeof ends])).toEqual([
      { name: "dead", available: false, reason: "its probe: killed by SIGSEGV" },
      { name: "hung", available: false, reason: "its probe: no end within 60 s" },
    ]);
  });
});
