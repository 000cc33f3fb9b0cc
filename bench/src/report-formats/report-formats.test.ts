import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readReport, reportFormatNames } from "./registry.js";

const json = JSON.stringify;
const fails = (format: string, text: string, select?: string): string => {
  try {
    readReport(format, text, select);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: "BENCHMARK_FAILED" });
    return (thrown as Error).message;
  }
  return "it did not fail";
};

/** As version 1.7.1 writes it: two repetitions, their aggregates, and one that failed. */
const google = json({
  context: { host_name: "h", num_cpus: 2 },
  benchmarks: [
    {
      name: "BM_Sum/1000",
      run_name: "BM_Sum/1000",
      run_type: "iteration",
      repetitions: 2,
      repetition_index: 0,
      iterations: 39_088,
      real_time: 1287.35,
      cpu_time: 721.567,
      time_unit: "ns",
      items_per_second: 1_385_872_243.6,
    },
    {
      name: "BM_Sum/1000",
      run_name: "BM_Sum/1000",
      run_type: "iteration",
      repetition_index: 1,
      iterations: 39_088,
      real_time: 720,
      cpu_time: 719,
      time_unit: "ns",
    },
    {
      name: "BM_Sum/1000_mean",
      run_name: "BM_Sum/1000",
      run_type: "aggregate",
      aggregate_name: "mean",
      real_time: 1003,
      time_unit: "ns",
    },
    {
      name: "BM_Bad",
      run_name: "BM_Bad",
      run_type: "iteration",
      error_occurred: true,
      error_message: "no device",
      real_time: 0,
      time_unit: "ns",
    },
  ],
});

const pytest = json({
  machine_info: {},
  benchmarks: [
    { name: "test_sum", fullname: "a.py::test_sum", stats: { median: 2e-6, iterations: 10, data: [2.6e-6, 2.1e-6, 1.8e-6] } },
    { name: "test_two", fullname: "a.py::test_two", stats: { median: 3e-6, iterations: 1 } },
    { name: "test_two", fullname: "b.py::test_two", stats: { median: 4e-6, iterations: 1 } },
  ],
});

const criterion = [
  json({ reason: "benchmark-complete", id: "norm", iteration_count: [10, 20], measured_values: [1000, 1800], unit: "ns" }),
  json({ reason: "group-complete", group_name: "g", benchmarks: ["norm"] }),
].join("\n");

describe("a report", () => {
  it("of Google Benchmark gives repetitions by wall time, and what they processed", () => {
    const told = readReport("google-benchmark", google, "BM_Sum/1000");
    expect(told.seconds.map((each) => Number((1e9 * each).toFixed(2)))).toEqual([1287.35, 720]);
    expect(told.iterationsPerSample).toBe(39_088);
    expect(told.processed?.unit).toBe("elements");
    expect(told.processed?.perIteration).toBeCloseTo(1000, 1);
    expect(fails("google-benchmark", google, "BM_Bad")).toBe("BM_Bad failed: no device");
    expect(fails("google-benchmark", google)).toMatch(/2 benchmarks: `select` one of BM_Sum\/1000, BM_Bad/);
  });

  it("of hyperfine gives whole runs", () => {
    const text = `\uFEFF${json({ results: [{ command: "true", times: [0.0043, 0.0011], exit_codes: [0, 0] }] })}`;
    expect(readReport("hyperfine", text, undefined)).toEqual({ name: "true", seconds: [0.0043, 0.0011], iterationsPerSample: 1 });
  });

  it("of hyperfine with failed runs is a failure", () => {
    const text = json({ results: [{ command: "x", times: [0.1, 0.2], exit_codes: [0, 3] }] });
    expect(fails("hyperfine", text)).toBe("x failed: 1 of 2 runs did not end with 0");
  });

  it("of pytest-benchmark gives rounds, or the median where they were not saved", () => {
    expect(readReport("pytest-benchmark", pytest, "test_sum")).toMatchObject({
      seconds: [2.6e-6, 2.1e-6, 1.8e-6],
      iterationsPerSample: 10,
    });
    expect(readReport("pytest-benchmark", pytest, "b.py::test_two").seconds).toEqual([4e-6]);
    expect(fails("pytest-benchmark", pytest, "test_smu")).toMatch(/has no test_smu; did you mean test_sum\?/);
  });

  it("of Criterion gives samples per iteration, from its messages or its file", () => {
    const { seconds, iterationsPerSample } = readReport("criterion", criterion, "norm");
    expect([seconds.map((each) => each.toPrecision(6)), iterationsPerSample]).toEqual([["1.00000e-7", "9.00000e-8"], 15]);
    const file = json({ sampling_mode: "Linear", iters: [10, 20], times: [1000, 1800] });
    expect(readReport("criterion", file, undefined).seconds.map((each) => each.toPrecision(6))).toEqual([
      "1.00000e-7",
      "9.00000e-8",
    ]);
    const cycles = criterion.replace('"ns"', '"cycles"');
    expect(fails("criterion", cycles)).toMatch(/measured in "cycles", which is no time/);
  });

  it.each(reportFormatNames)("of %s is nothing else", (format) => {
    expect(fails(format, "")).toMatch(/it is empty|begins with/);
    expect(fails(format, "Segmentation fault")).toMatch(/begins with "Segmentation fault"/);
    expect(fails(format, "{}")).toMatch(/is wrong/);
    for (const text of [google, pytest, json({ results: [] })].filter((_, i) => !format.startsWith(["google", "pytest", "-"][i])))
      expect(fails(format, text)).not.toBe("it did not fail");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => json({ results: value, benchmarks: value })),
        ),
        (text) => {
          expect(fails(format, text)).not.toBe("it did not fail");
        },
      ),
    );
  });

  it("never has a sample that is no time", () => {
    const wrong = (times: unknown) => fails("hyperfine", json({ results: [{ command: "x", times }] }));
    for (const times of [[], [0], [-1], ["1"], null, [Number.NaN]]) expect(wrong(times)).toMatch(/is wrong/);
  });
});
