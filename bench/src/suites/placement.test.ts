import { describe, expect, it } from "vitest";
import { smiLog } from "../../test/smi-log.js";
import type { RunSmi } from "../gpus/nvidia-cards.js";
import { nameBenchmark } from "../measure/benchmark-result.js";
import type { Benchmark } from "../workloads/workload.js";
import { listGpuBenchmarks } from "./gpu-suite.js";
import { findCards, placeOnCards } from "./placement.js";

const smi =
  (text: string): RunSmi =>
  async () => ({ state: "ok", stdout: text, seconds: 0.01 });

const plain: Benchmark = { workload: "safety_overhead", category: "safety", params: {}, runtime: "js", device: "cpu" };
const [own] = listGpuBenchmarks();

describe("what is measured once a card", () => {
  it("is put onto every card, one card after the other, behind the rest", async () => {
    const cards = await findCards(undefined, smi(smiLog({ cards: 2 })));
    const placed = placeOnCards([own, plain, own], cards);
    expect(placed.map(nameBenchmark)).toEqual([
      "safety_overhead js/cpu",
      "gpu_launch torch/gpu0",
      "gpu_launch torch/gpu0",
      "gpu_launch torch/gpu1",
      "gpu_launch torch/gpu1",
    ]);
    expect(placed[3].card).toMatchObject({ index: 1, uuid: "GPU-1" });
    expect(placed[3].command?.args.slice(-4)).toEqual(["--card", "GPU-1", "--device", "gpu1"]);
  });

  it("is put onto the card that is asked for alone", async () => {
    const cards = await findCards(undefined, smi(smiLog({ cards: 2 })));
    expect(placeOnCards([own, plain], cards, "gpu1").map(nameBenchmark)).toEqual(["gpu_launch torch/gpu1"]);
    expect(() => placeOnCards([own], cards, "gpu2")).toThrow(/no card gpu2: there are gpu0, gpu1/);
    expect(() => placeOnCards([plain], cards, "gpu0")).toThrow(/nothing of this is measured on gpu0/);
    expect(() => placeOnCards([own], [], "gpu0")).toThrow(/nvidia-smi tells of no card/);
  });

  it("stays as it is where no card is known, and is never put onto a lost one", async () => {
    expect(await findCards(undefined, async () => ({ state: "failed", reason: "broken", seconds: 0 }))).toEqual([]);
    expect(placeOnCards([own], []).map(nameBenchmark)).toEqual(["gpu_launch torch/gpu"]);
    const cards = await findCards(undefined, smi(smiLog({ cards: 2, only: { 0: { "temperature/gpu_temp": "GPU is lost" } } })));
    expect(cards.map(({ index }) => index)).toEqual([1]);
  });
});
