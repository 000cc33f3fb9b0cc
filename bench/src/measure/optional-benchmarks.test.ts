import { expect, test } from "vitest";
import { findSuite } from "../suites/suites.js";
import { nameBenchmark } from "./benchmark-result.js";
import { addOptional } from "./optional-benchmarks.js";

test("the quick suite takes the native runtimes that a host has, and says which it leaves out", async () => {
  const quick = findSuite("quick");
  if (quick === undefined) throw new Error("there is a quick suite");
  const told: string[] = [];
  const fitted = await addOptional(
    quick,
    (sentence) => told.push(sentence),
    async (names = []) =>
      names.map((name) =>
        name === "jax"
          ? { name, available: true, device: "cpu", version: "1" }
          : { name, available: false, reason: "not installed" },
      ),
  );
  const added = fitted.benchmarks.slice(quick.benchmarks.length).map(nameBenchmark);
  expect(added).toEqual(["td3_bc_update{batch=256} jax/cpu", "policy_forward{batch=256} jax/cpu"]);
  expect(told).toEqual(["2 benchmarks on tfjs-node: not installed"]);
});

test("a suite without such benchmarks asks for nothing", async () => {
  const suite = { name: "own", description: "", benchmarks: [] };
  expect(await addOptional(suite, undefined, async () => Promise.reject(new Error("asked")))).toBe(suite);
});
