import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { resultFileSchema } from "@fleetmark/shared/model/result-file";
import { afterAll, describe, expect, it } from "vitest";
import { Benchmarker } from "./benchmarker.js";
import type { FunctionOptions } from "./measure/function-run.js";

const folder = mkdtempSync(join(tmpdir(), "fleetmark-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function spin(rounds: number): number {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (x * 1.000001 + i) % 1000;
  return x;
}

describe("Benchmarker", () => {
  it("measures functions, whatever they return, and awaits promises", async () => {
    const benchmarker = new Benchmarker();
    const plain = await benchmarker.benchmarkFunction(() => spin(20_000), {
      name: "spin",
      iterations: 50,
      metadata: { rounds: 20_000 },
    });
    expect(plain).toMatchObject({ name: "spin", category: "external", unit: "s", metadata: { rounds: 20_000 } });
    expect(plain.min).toBeGreaterThan(0);
    const texts = await benchmarker.benchmarkFunction(() => "x".repeat(10), { name: "text", category: "memory", iterations: 30 });
    expect(texts.category).toBe("memory");
    const waiting = await benchmarker.benchmarkFunction(() => delay(2), { name: "wait", iterations: 20, warmup: 2 });
    expect(waiting.median).toBeGreaterThan(1e-3);
    expect(waiting.n).toBeLessThanOrEqual(20);
    expect(benchmarker.results).toEqual([plain, texts, waiting]);
  });

  it("saves, summarises and compares what it measured", async () => {
    const path = join(folder, "deep", "results.json");
    const before = new Benchmarker({ host: "here" });
    await before.benchmarkFunction(() => spin(20_000), { name: "work", iterations: 50 });
    await before.saveResults(path);
    expect(resultFileSchema.parse(JSON.parse(readFileSync(path, "utf8"))).run).toMatchObject({ host: "here", completed: 1 });

    const after = new Benchmarker({ host: "here" });
    await after.benchmarkFunction(() => spin(60_000), { name: "work", iterations: 50 });
    const printed: string[] = [];
    const report = await after.compareWithBaseline(path, (text) => printed.push(text));
    after.printSummary((text) => printed.push(text));
    const throughput = report.comparisons.find(({ metric }) => metric === "throughput");
    expect(Number.isFinite(throughput?.change)).toBe(true);
    expect(printed[0]).toMatch(/work +throughput/);
    expect(printed[1]).toMatch(/external +work/);
  });

  it("passes on what a function throws, and refuses options that make no sense", async () => {
    const benchmarker = new Benchmarker();
    let calls = 0;
    const fail = () => {
      throw new Error("on fire");
    };
    await expect(benchmarker.benchmarkFunction(fail, { name: "x" })).rejects.toThrow("on fire");
    for (const options of [
      { name: "" },
      { name: "x", iterations: 0 },
      { name: "x", iterations: 1.5 },
      { name: "x", warmup: -1 },
      { name: "x", budgetS: Number.NaN },
      { name: "x", iteratons: 100 },
      { name: "x", metadata: { nested: { deep: 1 } } },
      { name: "x", processed: { unit: "elements", perIteration: 0 } },
    ]) {
      await expect(benchmarker.benchmarkFunction(() => calls++, options as FunctionOptions)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
      });
    }
    expect(benchmarker.results).toEqual([]);
    // All of that is said before anything is measured.
    expect(calls).toBe(0);
  });

  it("counts what a call processes", async () => {
    const processed = { unit: "elements", perIteration: 64 } as const;
    const result = await new Benchmarker().benchmarkFunction(() => spin(20_000), { name: "x", iterations: 30, processed });
    expect(result.throughput_unit).toBe("elements/s");
    expect(result.throughput).toBeCloseTo(64 / result.median, 5);
  });

  it("awaits whatever has a then, and gives up what never settles", async () => {
    const benchmarker = new Benchmarker();
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is measured
    const later = { then: (resolve: (value: number) => void) => void setTimeout(resolve, 2, 1) };
    expect((await benchmarker.benchmarkFunction(() => later, { name: "later", iterations: 20 })).median).toBeGreaterThan(1e-3);
    const never = benchmarker.benchmarkFunction(() => new Promise(() => {}), { name: "never", timeoutS: 0.1 });
    await expect(never).rejects.toMatchObject({ code: "BENCHMARK_FAILED", message: expect.stringContaining("settle") });
  });

  it("refuses what returns a promise only sometimes, whose failures end nobody", async () => {
    let call = 0;
    const sometimes = () => (++call > 5 ? Promise.reject(new Error("late")) : 1);
    const measured = new Benchmarker().benchmarkFunction(sometimes, { name: "sometimes", budgetS: 1 });
    await expect(measured).rejects.toMatchObject({ code: "BENCHMARK_FAILED", message: expect.stringContaining("some calls") });
    await delay(20);
  });

  it("is never conclusive from one process, nor calls two of them different", async () => {
    const path = join(folder, "one.json");
    const before = new Benchmarker({ host: "here" });
    const result = await before.benchmarkFunction(() => spin(20_000), { name: "work", iterations: 50 });
    expect(result).toMatchObject({ conclusive: "no", run_spread_degrees: 0 });
    await before.saveResults(path);
    const after = new Benchmarker({ host: "here" });
    await after.benchmarkFunction(() => spin(60_000), { name: "work", iterations: 50 });
    const found = (await after.compareWithBaseline(path)).comparisons.find(({ metric }) => metric === "throughput");
    expect(found).toMatchObject({ verdict: "inconclusive", low: null, high: null });
  });
});
