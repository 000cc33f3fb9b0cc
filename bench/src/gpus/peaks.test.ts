import { describe, expect, it } from "vitest";
import { describePeak, findPeaks } from "./peaks.js";

const gemm = { workload: "gpu_gemm", params: { dtype: "bf16", n: 8192 }, perIteration: 2 * 8192 ** 3, samples: [1.6e-3] };

describe("the published peak of a card", () => {
  it.each([
    ["NVIDIA H100 80GB HBM3", 3350],
    ["NVIDIA H100 PCIe", 2000],
    ["NVIDIA H200", 4800],
    ["NVIDIA A100-SXM4-80GB", 2039],
    ["NVIDIA A100 80GB PCIe", 1935],
    ["NVIDIA A100-SXM4-40GB", 1555],
    ["NVIDIA L40S", 864],
    ["Tesla T4", 320],
    ["NVIDIA GeForce RTX 3080", undefined],
    ["NVIDIA A100-SXM4-80GB MIG 7x1g.10gb", undefined],
  ])("of %s is known by its name, or not at all", (name, memoryGbS) => {
    expect(findPeaks(name)?.memoryGbS).toBe(memoryGbS);
  });

  it("stands beside what was reached", () => {
    const { card_peak_per_s: peak, card_peak_percent: percent } = describePeak("NVIDIA H200", gemm);
    expect(peak).toBe(989.4e12);
    expect(percent).toBeCloseTo(69.46, 2);
    expect(
      describePeak("NVIDIA H200", { ...gemm, workload: "gpu_triad", perIteration: 3 * 2 ** 30, samples: [1e-3] }),
    ).toMatchObject({
      card_peak_per_s: 4.8e12,
    });
  });

  it("is not told of what has none, or was not measured", () => {
    expect(describePeak("NVIDIA H200", { ...gemm, workload: "gpu_launch" })).toEqual({});
    expect(describePeak("Tesla T4", gemm)).toEqual({});
    expect(describePeak("NVIDIA H200", { ...gemm, samples: [] })).toEqual({});
  });
});
