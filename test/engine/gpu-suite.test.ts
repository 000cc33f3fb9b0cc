import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { python as installed } from "../testbed/python.js";

const script = fileURLToPath(new URL("../../bench/python/gpu_suite.py", import.meta.url));
/** What `make python` installed where it did: then JAX is there, on the CPU. */
const python = process.env.FLEETMARK_PYTHON || (existsSync(installed) ? installed : "python3");
const hasPython = spawnSync(python, ["--version"]).status === 0;
/** Those that this machine has: usually none, and then the reason is seen. */
const libraries = ["torch", "jax"].filter((name) => spawnSync(python, ["-c", `import ${name}`]).status === 0);

interface Told {
  readonly type: string;
  readonly [key: string]: unknown;
}

function ask(args: readonly string[], job: object): Told[] {
  const { stdout } = spawnSync(python, [script, ...args], {
    input: `${JSON.stringify(job)}\n`,
    encoding: "utf8",
    timeout: 120_000,
  });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const job = (benchmark: string, params: object) => ({
  type: "job",
  protocol: 1,
  benchmark,
  params,
  seed: 1,
  samples: 50,
  fewest_samples: 3,
  limit_s: 0.2,
});

describe.skipIf(!hasPython)("the GPU suite in Python", () => {
  it("says that a library is not there, in one line", () => {
    const known = new Set(libraries);
    for (const library of ["torch", "jax", "cupy"].filter((name) => !known.has(name))) {
      expect(ask(["--library", library], job("gpu_launch", {}))).toMatchObject([
        { type: "failed", code: "RUNTIME_UNAVAILABLE", message: expect.stringContaining(library) },
      ]);
    }
  });

  it("knows no other protocol, and no text that is no job", () => {
    expect(ask(["--library", "torch"], { ...job("gpu_launch", {}), protocol: 2 })).toMatchObject([
      { type: "failed", message: "protocol 2 is not known here" },
    ]);
    expect(ask(["--library", "torch"], [])).toMatchObject([{ type: "failed" }]);
  });
});

const tried = libraries.length === 0 ? ["PyTorch or JAX, neither of which is here"] : libraries;

describe.skipIf(libraries.length === 0).each(tried)("the GPU suite by %s", (library) => {
  it.each([
    ["gpu_launch", {}, "calls", 1],
    ["gpu_gemm", { dtype: "f32", n: 64 }, "flops", 2 * 64 ** 3],
    ["gpu_triad", { mib: 1 }, "bytes", 3 * 2 ** 20],
    ["gpu_copy", { direction: "h2d", mib: 1 }, "bytes", 2 ** 20],
    ["gpu_copy", { direction: "d2d", mib: 1 }, "bytes", 2 * 2 ** 20],
    ["gpu_check", { n: 64 }, "flops", 2 * 64 ** 3],
    ["gpu_sustained", { dtype: "f32", n: 64, seconds: 1 }, "flops", 2 * 64 ** 3],
  ])("measures %s %j on the device that it says", (name, params, unit, perIteration) => {
    const [ready, samples, done] = ask(["--library", library, "--device", "gpu7"], job(name, params));
    expect(ready).toMatchObject({ type: "ready", device: expect.stringMatching(/^(cpu|gpu7)$/), runtime: library });
    expect((samples.seconds as number[]).every((each) => each > 0)).toBe(true);
    expect(done).toMatchObject({ type: "done", processed: { unit, per_iteration: perIteration } });
    expect(Number.isFinite(done.checksum)).toBe(true);
  });

  it.each([
    ["gpu_gemm", { dtype: "f33", n: 64 }, /dtype is one of/],
    ["gpu_gemm", { dtype: "f32", n: 0 }, /n is a whole number/],
    ["gpu_check", { n: 9000 }, /exact up to/],
    ["gpu_nothing", {}, /no benchmark gpu_nothing/],
  ])("refuses %s %j", (name, params, message) => {
    expect(ask(["--library", library], job(name, params))).toMatchObject([
      { type: "failed", message: expect.stringMatching(message) },
    ]);
  });
});
