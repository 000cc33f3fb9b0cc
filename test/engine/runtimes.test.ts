import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { probeRuntimes } from "#bench/runtimes/probe.js";
import { describeUnless } from "../testbed/needs.js";
import { repositoryRoot } from "../testbed/repository-root.js";

/** SwiftShader, which draws and computes on the CPU: three files of Debian's chromium-common. */
const swiftShader = join(repositoryRoot, ".servers/usr/lib/chromium");
const program = join(repositoryRoot, "test/dist/engine/trace-updates.js");

interface Traced {
  readonly device: string;
  readonly losses: Readonly<Record<string, readonly number[]>>;
}

async function trace(runtime: string): Promise<Traced> {
  const env = { ...process.env, VK_ICD_FILENAMES: join(swiftShader, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: swiftShader };
  const { stdout } = await promisify(execFile)(process.execPath, [program, runtime], { env, timeout: 240_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

const installed = (name: string): string | undefined =>
  existsSync(join(repositoryRoot, ".runtimes/node_modules", name)) ? undefined : `no ${name}; \`make runtimes\` installs it`;

describe("the runtimes of this process", () => {
  let reference: Traced;

  beforeAll(async () => {
    reference = await trace("jax-js");
  }, 120_000);

  const learnAlike = async (runtime: string, device: string): Promise<void> => {
    const traced = await trace(runtime);
    expect(traced.device).toBe(device);
    for (const [algorithm, losses] of Object.entries(reference.losses)) {
      const apart = losses.map((loss, i) => Math.abs(traced.losses[algorithm][i] / loss - 1));
      expect([algorithm, Math.max(...apart) < 1e-3, losses.length]).toEqual([algorithm, true, 3]);
    }
  };

  it("learn alike on TensorFlow's WebAssembly", () => learnAlike("tfjs-wasm", "cpu"), 120_000);

  describeUnless(installed("@tensorflow/tfjs-node"))("on TensorFlow's native library", () => {
    it("learn alike", () => learnAlike("tfjs-node", "cpu"), 120_000);

    it("are found by what they compute", async () => {
      expect(await probeRuntimes(["tfjs-node"])).toEqual([
        { name: "tfjs-node", available: true, device: "cpu", version: "4.22.0" },
      ]);
    }, 60_000);
  });

  const noSwiftShader = existsSync(join(swiftShader, "libvk_swiftshader.so"))
    ? undefined
    : "no SwiftShader; `make servers` has it";
  describeUnless(installed("webgpu") ?? noSwiftShader)("on WebGPU", () => {
    it("learn alike, on what is said to be software", () => learnAlike("webgpu", "software"), 240_000);
  });
});
