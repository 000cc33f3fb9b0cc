import type { Metadata } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";

/**
 * What the makers publish of their cards: dense products (without sparsity), in TFLOP/s by the type of the factors, and
 * the memory's bandwidth in GB/s. A figure of paper, to see a measured one beside; no card reaches it, for clocks fall
 * with power.
 */
interface Peaks {
  readonly tflops: Readonly<Record<string, number>>;
  readonly memoryGbS: number;
}

/** NVIDIA's data sheets: H200 and H100 (2024), A100 (2021), L40S (2023), L4 (2023), T4 (2019). */
const published: readonly (readonly [RegExp, Peaks])[] = [
  [/\bH200\b/, { tflops: { f32: 67, tf32: 494.7, bf16: 989.4, fp16: 989.4, fp8: 1978.9 }, memoryGbS: 4800 }],
  [/\bH100 PCIe\b/, { tflops: { f32: 51, tf32: 378, bf16: 756, fp16: 756, fp8: 1513 }, memoryGbS: 2000 }],
  [
    /\bH100 (80GB )?HBM3\b|\bH100 SXM/,
    { tflops: { f32: 67, tf32: 494.7, bf16: 989.4, fp16: 989.4, fp8: 1978.9 }, memoryGbS: 3350 },
  ],
  [/\bA100 80GB PCIe/, { tflops: { f32: 19.5, tf32: 156, bf16: 312, fp16: 312 }, memoryGbS: 1935 }],
  [/\bA100\b.*80GB/, { tflops: { f32: 19.5, tf32: 156, bf16: 312, fp16: 312 }, memoryGbS: 2039 }],
  [/\bA100\b/, { tflops: { f32: 19.5, tf32: 156, bf16: 312, fp16: 312 }, memoryGbS: 1555 }],
  [/\bL40S\b/, { tflops: { f32: 91.6, tf32: 183, bf16: 362, fp16: 362, fp8: 733 }, memoryGbS: 864 }],
  [/\bL4\b/, { tflops: { f32: 30.3, tf32: 60, bf16: 121, fp16: 121, fp8: 242 }, memoryGbS: 300 }],
  [/\bT4\b/, { tflops: { f32: 8.1, fp16: 65 }, memoryGbS: 320 }],
];

/** Finds what is published of a card; undefined of one that is not listed, or a slice of one. */
export function findPeaks(name: string): Peaks | undefined {
  return name.includes("MIG") ? undefined : published.find(([pattern]) => pattern.test(name))?.[1];
}

/** What was measured: a benchmark of the suite gpu. */
interface Measured {
  readonly workload: string;
  readonly params: Readonly<Record<string, string | number>>;
  /** Flops or bytes. */
  readonly perIteration: number;
  /** Seconds per iteration. */
  readonly samples: ArrayLike<number>;
}

/** What a benchmark could reach at most: flops or bytes a second. Copies from and to the host have another limit. */
function findPeak({ workload, params }: Pick<Measured, "workload" | "params">, { tflops, memoryGbS }: Peaks): number | undefined {
  if (workload === "gpu_triad" || (workload === "gpu_copy" && params.direction === "d2d")) return memoryGbS * 1e9;
  const tera = workload === "gpu_gemm" || workload === "gpu_sustained" ? tflops[String(params.dtype)] : undefined;
  return tera === undefined ? undefined : tera * 1e12;
}

/** The published peak of a card for a benchmark, and how much of it was reached. */
export function describePeak(cardName: string, measured: Measured): Metadata {
  const peaks = findPeaks(cardName);
  const peak = peaks === undefined ? undefined : findPeak(measured, peaks);
  if (peak === undefined || measured.samples.length === 0) return {};
  const reached = measured.perIteration / median(measured.samples);
  return { card_peak_per_s: peak, card_peak_percent: (100 * reached) / peak };
}
