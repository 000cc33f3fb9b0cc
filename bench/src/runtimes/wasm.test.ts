import { expect, test } from "vitest";
import { createLayers, createPlainPolicy } from "../algorithms/networks.js";
import { createRandom, drawNormal } from "../environments/random.js";
import { loadRuntime } from "./registry.js";

test.each([
  [[12, 256, 256, 3], 1],
  [[12, 256, 256, 3], 7],
  [[1, 1], 1],
  [[32, 17, 5, 8], 3],
])("a policy of %j in WebAssembly acts as in plain numbers, %i rows at a time", async (widths, rows) => {
  const random = createRandom(3);
  const layers = createLayers(widths, random);
  const run = (await loadRuntime("wasm")).createPolicy?.(layers, rows);
  const plain = createPlainPolicy(layers);
  const actionLength = widths[widths.length - 1];
  for (let turn = 0; turn < 3; turn++) {
    const observations = Float32Array.from({ length: rows * widths[0] }, () => 3 * drawNormal(random));
    const actions = [...(run?.(observations) ?? [])];
    for (let row = 0; row < rows; row++) {
      const known = [...plain(Float64Array.from(observations.subarray(row * widths[0], (row + 1) * widths[0])))];
      const found = actions.slice(row * actionLength, (row + 1) * actionLength);
      expect(Math.max(...found.map((value, i) => Math.abs(value - known[i])))).toBeLessThan(2e-6);
    }
  }
});

test("runs nothing but policies", async () => {
  const runtime = await loadRuntime("wasm");
  expect(() => runtime.createTensor(new Float32Array(1), [1])).toThrow(/policies and nothing else/);
  expect(() => runtime.ops.tanh).toThrow(/policies and nothing else/);
});
