import { beforeAll, describe, expect, test, vi } from "vitest";
import { createRandom, drawNormal } from "../environments/random.js";
import { loadRuntime, runtimes } from "./registry.js";
import { disposeAll, type Tensor, type TensorOps, type TensorRuntime } from "./runtime.js";
import { classifyAdapter } from "./webgpu.js";

const random = createRandom(1);
const draw = (length: number): Float32Array => Float32Array.from({ length }, () => drawNormal(random));

/** What is used of the WebAssembly namespace, whose types come with the browser's only. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: { Memory: new (descriptor: object) => WasmMemory } };

/** Every memory that is made in JavaScript from here on: what jax-js allocates its arrays in. */
const memories: WasmMemory[] = [];

beforeAll(() => {
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(descriptor: object) {
      super(descriptor);
      memories.push(this);
    }
  };
});

describe.each(["jax-js", "tfjs-wasm"])("%s", (name) => {
  let runtime: TensorRuntime;
  beforeAll(async () => {
    const spoken = ["log", "info", "warn"].map((method) => vi.spyOn(console, method as "log"));
    runtime = await loadRuntime(name);
    expect(spoken.flatMap((spy) => spy.mock.calls)).toEqual([]);
  });

  /** Evaluates one expression over tensors and returns its values. */
  function evaluate(fn: (ops: TensorOps, inputs: readonly Tensor[]) => Tensor, ...arrays: [Float32Array, number[]][]): number[] {
    const inputs = arrays.map(([data, shape]) => runtime.createTensor(data, shape));
    const { output } = runtime.compile(({ x }: { x: readonly Tensor[] }) => ({ output: [fn(runtime.ops, x)] }))({ x: inputs });
    const values = [...(runtime.read(output[0]) as Float32Array)];
    runtime.dispose([...inputs, ...output]);
    return values;
  }

  function expectClose(actual: number[], expected: Iterable<number>): void {
    const wanted = [...expected];
    expect(actual.length).toBe(wanted.length);
    for (const [i, value] of wanted.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
  }

  test("elementwise operations agree with double precision", () => {
    const [a, b] = [draw(200), draw(200).map((value) => value + 3 * Math.sign(value))];
    const unary: [(ops: TensorOps, x: Tensor) => Tensor, (x: number) => number][] = [
      [(ops, x) => ops.relu(x), (x) => Math.max(0, x)],
      [(ops, x) => ops.tanh(x), Math.tanh],
      [(ops, x) => ops.sin(x), Math.sin],
      [(ops, x) => ops.cos(x), Math.cos],
      [(ops, x) => ops.square(x), (x) => x * x],
      [(ops, x) => ops.abs(x), Math.abs],
      [(ops, x) => ops.sqrt(ops.abs(x)), (x) => Math.sqrt(Math.abs(x))],
      [(ops, x) => ops.exp(x), Math.exp],
      [(ops, x) => ops.log(ops.abs(x)), (x) => Math.log(Math.abs(x))],
      [(ops, x) => ops.clip(x, -0.5, 0.25), (x) => Math.min(0.25, Math.max(-0.5, x))],
      [(ops, x) => ops.add(x, 2), (x) => x + 2],
      [(ops, x) => ops.mul(x, -3), (x) => -3 * x],
      [(ops, x) => ops.stopGradient(x), (x) => x],
    ];
    for (const [fn, expected] of unary)
      expectClose(
        evaluate((ops, [x]) => fn(ops, x), [a, [200]]),
        Array.from(a, expected),
      );
    const binary: [(ops: TensorOps, x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number][] = [
      [(ops, x, y) => ops.add(x, y), (x, y) => x + y],
      [(ops, x, y) => ops.sub(x, y), (x, y) => x - y],
      [(ops, x, y) => ops.mul(x, y), (x, y) => x * y],
      [(ops, x, y) => ops.div(x, y), (x, y) => x / y],
      [(ops, x, y) => ops.minimum(x, y), Math.min],
    ];
    for (const [fn, expected] of binary) {
      expectClose(
        evaluate((ops, [x, y]) => fn(ops, x, y), [a, [200]], [b, [200]]),
        Array.from(a, (value, i) => expected(value, b[i])),
      );
    }
  });

  test("products, reductions, broadcasting and columns", () => {
    const [a, b] = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 0, 2, 1, 0, 3)];
    expectClose(
      evaluate((ops, [x, y]) => ops.matmul(x, y), [a, [2, 3]], [b, [3, 2]]),
      [5, 11, 14, 23],
    );
    expectClose(
      evaluate((ops, [x]) => ops.sum(x), [a, [2, 3]]),
      [21],
    );
    expectClose(
      evaluate((ops, [x]) => ops.mean(x), [a, [2, 3]]),
      [3.5],
    );
    expectClose(
      evaluate((ops, [x, y]) => ops.add(x, y), [a, [2, 3]], [Float32Array.of(10, 20, 30), [3]]),
      [11, 22, 33, 14, 25, 36],
    );
    expectClose(
      evaluate((ops, [x, y]) => ops.concatColumns(x, y), [a, [2, 3]], [Float32Array.of(7, 8), [2, 1]]),
      [1, 2, 3, 7, 4, 5, 6, 8],
    );
  });

  test("gradients flow through products, and not through stopGradient", () => {
    const [x, w] = [draw(6), draw(12)];
    const gradients = evaluate(
      (ops, [input, weights]) =>
        ops.valueAndGrad(
          ([v]) => {
            const y = ops.tanh(ops.matmul(input, v));
            return ops.sum(ops.mul(y, ops.stopGradient(y)));
          },
          [weights],
        ).gradients[0],
      [x, [2, 3]],
      [w, [3, 4]],
    );
    const y = (i: number, j: number): number => Math.tanh([0, 1, 2].reduce((sum, k) => sum + x[i * 3 + k] * w[k * 4 + j], 0));
    const expected = Array.from({ length: 12 }, (_, at) => {
      const [k, j] = [Math.floor(at / 4), at % 4];
      return [0, 1].reduce((sum, i) => sum + y(i, j) * (1 - y(i, j) ** 2) * x[i * 3 + k], 0);
    });
    expectClose(gradients, expected);
  });

  test("inputs survive a call, outputs are the caller's even where they are inputs, and a reused upload array may change", () => {
    const data = Float32Array.of(1, 2);
    const x = runtime.createTensor(data, [2]);
    data.fill(9);
    const both = runtime.compile(({ a }: { a: readonly Tensor[] }) => ({ same: [a[0], a[0]], more: [runtime.ops.add(a[0], 1)] }));
    for (let call = 0; call < 3; call++) {
      const outputs = both({ a: [x] });
      expect([...(runtime.read(outputs.same[1]) as Float32Array)]).toEqual([1, 2]);
      expect([...(runtime.read(outputs.more[0]) as Float32Array)]).toEqual([2, 3]);
      disposeAll(runtime, outputs);
    }
    expect([...(runtime.read(x) as Float32Array)]).toEqual([1, 2]);
    runtime.dispose([x]);
  });

  test("memory stays flat over many calls with gradients", async () => {
    const weights = runtime.createTensor(draw(64 * 64), [64, 64]);
    const step = runtime.compile(({ w }: { w: readonly Tensor[] }) => {
      const { ops } = runtime;
      const { value, gradients } = ops.valueAndGrad(([v]) => ops.mean(ops.square(ops.relu(ops.matmul(v, v)))), w);
      return { value: [value], next: [ops.sub(w[0], ops.mul(gradients[0], 1e-3))] };
    });
    let present = [weights];
    const run = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const { value, next } = step({ w: present });
        runtime.read(value[0]);
        runtime.dispose([...present, ...value]);
        present = next;
      }
    };
    const { memory } = await import("@tensorflow/tfjs");
    expect(memories.length).toBeGreaterThan(0);
    const measure = (): number[] => [memory().numTensors, ...memories.map(({ buffer }) => buffer.byteLength)];
    run(20);
    const before = measure();
    run(400); // 6.5 MB for each array of 16 KB that a call would leak
    expect(measure()).toEqual(before);
    runtime.dispose(present);
  });
});

describe("the registry", () => {
  test("every runtime tells whether it is available, and why not", async () => {
    const reports = await Promise.all(runtimes.map(async (runtime) => [runtime.name, await runtime.probe()] as const));
    const byName = Object.fromEntries(reports);
    expect(byName["jax-js"]).toMatchObject({ available: true, device: "cpu", version: "0.1.25" });
    expect(byName["tfjs-wasm"]).toMatchObject({ available: true, device: "cpu", version: "4.22.0" });
    for (const [, report] of reports) {
      if (!report.available) expect(report.reason).toMatch(/npm install |make tfjs-node|native binding|no adapter/);
    }
  });

  test("an unavailable runtime fails to load with its reason, an unknown one with the names that exist", async () => {
    await expect(loadRuntime("cray")).rejects.toMatchObject({
      code: "BENCHMARK_UNKNOWN",
      message: expect.stringContaining("jax-js"),
    });
    const reports = await Promise.all(runtimes.map(async (runtime) => ({ runtime, report: await runtime.probe() })));
    for (const { runtime, report } of reports) {
      if (!report.available) await expect(runtime.load()).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
    }
  });

  test("a runtime is loaded once", async () => {
    expect(await loadRuntime("jax-js")).toBe(await loadRuntime("jax-js"));
  });

  test("software rasterisers are no GPUs", () => {
    expect(classifyAdapter("google swiftshader SwiftShader Device (Subzero)")).toBe("software");
    expect(classifyAdapter("mesa llvmpipe (LLVM 15.0.6, 256 bits)")).toBe("software");
    expect(classifyAdapter("nvidia ampere NVIDIA A100")).toBe("gpu");
  });
});
