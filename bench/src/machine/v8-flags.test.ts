import { expect, it } from "vitest";
import { suites } from "../suites/suites.js";
import { keepKnownFlags } from "./v8-flags.js";

it("keeps the flags that this V8 knows, however they are written", async () => {
  const known = ["--no-liftoff", "--nolazy", "--no-concurrent-recompilation", "--stack_size=984", "--stack-size=984"];
  expect(await keepKnownFlags(known)).toEqual(known);
  expect(await keepKnownFlags(["--no-such-flag", "--liftoff", "--such=1"])).toEqual(["--liftoff"]);
  expect(await keepKnownFlags([])).toEqual([]);
});

it("knows every flag that benchmarks ask for", async () => {
  const flags = [...new Set(suites.flatMap(({ benchmarks }) => benchmarks.flatMap(({ v8Flags = [] }) => v8Flags)))];
  expect(flags.length).toBeGreaterThan(0);
  expect(await keepKnownFlags(flags)).toEqual(flags);
});
