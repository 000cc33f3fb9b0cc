import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Result } from "@fleetmark/shared/model/result";
import { measureSpread } from "@fleetmark/shared/stats/levels";
import { expect, it, onTestFinished } from "vitest";
import { makeResult, makeRun } from "../../../shared/test/records.js";
import { buildResultFile } from "./result-files.js";
import { readRunHistory } from "./run-history.js";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function write(folder: string, name: string, results: Result[]): void {
  writeFileSync(join(folder, name), JSON.stringify(buildResultFile({ run: makeRun(), results })));
}

it("knows how runs differ from each result once, by hardware, up to twenty degrees of freedom", async () => {
  const folder = makeFolder();
  const medians = [1, 1.01, 0.99, 1.02];
  for (let i = 0; i < 9; i++) write(folder, `results-${i}.json`, [makeResult({ run: `r${i}`, run_medians: medians })]);
  write(folder, "baseline.json", [makeResult({ run: "r0", run_medians: [1, 2] })]);
  writeFileSync(join(folder, "results-x.json"), "{");
  const { name, hw_class } = makeResult({});
  const history = await readRunHistory(folder);
  expect(history("another", name)).toBeUndefined();
  expect(history(hw_class, "another")).toBeUndefined();
  // The baseline's is r0 too, and comes first by name: its two runs stand for it, and eight results of four runs follow.
  const known = history(hw_class, name);
  expect(known?.spread.degrees).toBe(20);
  expect(known?.iterationsPerSample).toBe(10);
  const [pair, four] = [measureSpread([1, 2], "relative"), measureSpread(medians, "relative")];
  expect(known?.spread.variance).toBeCloseTo((pair.variance + 24 * four.variance) / 25, 12);
});

it("knows nothing where there is nothing, or results of one run", async () => {
  expect((await readRunHistory("/nowhere"))("a", "b")).toBeUndefined();
  const folder = makeFolder();
  write(folder, "results-1.json", [makeResult({ run_medians: [1] }), makeResult({ name: "other", run_medians: undefined })]);
  const { name, hw_class } = makeResult({});
  expect((await readRunHistory(folder))(hw_class, name)).toBeUndefined();
});
