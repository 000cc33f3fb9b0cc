import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { createDataset, createFilledBuffer, type Dataset, qualities } from "./dataset.js";
import { encodeNpz, listArrays } from "./npz.js";
import { encodeParquet } from "./parquet.js";

const make = (quality: Dataset["quality"], size = 3000, seed = 1) =>
  createDataset({ env: "HVACControl-v0", quality, size, seed });
const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

/** Reads an array as NumPy does, by its header. */
function readNpy(bytes: Uint8Array): { kind: string; shape: number[]; numbers: Float32Array | Uint8Array } {
  const view = Buffer.from(bytes);
  expect(view.subarray(0, 8).toString("latin1")).toBe("\x93NUMPY\x01\x00");
  const start = 10 + view.readUInt16LE(8);
  expect(start % 64).toBe(0);
  const header = view.subarray(10, start).toString("latin1");
  const [, kind, shape] = header.match(/'descr': '(.*?)', 'fortran_order': False, 'shape': \((.*?)\)/) ?? [];
  const data = Uint8Array.from(view.subarray(start));
  return {
    kind,
    shape: shape
      .split(",")
      .filter((each) => each.trim() !== "")
      .map(Number),
    numbers: kind === "<f4" ? new Float32Array(data.buffer) : data,
  };
}

describe("a dataset", () => {
  test("is the better the better what acted: expert, medium, random, and mixed between", async () => {
    const returns = Object.fromEntries(
      await Promise.all(qualities.map(async (quality) => [quality, mean((await make(quality, 6000)).returns)] as const)),
    );
    expect(returns.expert).toBeGreaterThan(returns.medium + 100);
    expect(returns.medium).toBeGreaterThan(returns.random + 100);
    expect(returns.mixed).toBeGreaterThan(returns.random);
    expect(returns.mixed).toBeLessThan(returns.expert);
  });

  test("follows from its seed", async () => {
    const [first, again, other] = [await make("mixed"), await make("mixed"), await make("mixed", 3000, 2)];
    expect(encodeNpz(again)).toEqual(encodeNpz(first));
    expect(encodeNpz(other)).not.toEqual(encodeNpz(first));
  });

  test("tells the state that each action was chosen on, and where episodes end", async () => {
    const data = await make("random", 2500);
    const { observations, nextObservations, timeouts, terminals, observationLength: width } = data;
    let ends = 0;
    for (let row = 0; row + 1 < data.size; row++) {
      const isEnd = timeouts[row] + terminals[row] > 0;
      ends += Number(isEnd);
      const next = [...nextObservations.subarray(row * width, (row + 1) * width)];
      const following = [...observations.subarray((row + 1) * width, (row + 2) * width)];
      if (isEnd) expect(following).not.toEqual(next);
      else expect(following).toEqual(next);
    }
    expect(ends).toBe(data.returns.length);
    // What is cut off by the end of the data is no termination.
    expect([timeouts[data.size - 1], terminals[data.size - 1]]).toEqual([1, 0]);
  });

  test("becomes a replay buffer of its own, whose learner may normalise it", async () => {
    const data = await make("expert", 100);
    const buffer = createFilledBuffer(data);
    buffer.observations.fill(0);
    expect(data.observations[0]).not.toBe(0);
    expect([buffer.count, buffer.continues[0]]).toEqual([100, 1]);
  });

  test("is what it was when it comes out of an .npz", async () => {
    const data = await make("mixed");
    const files = unzipSync(encodeNpz(data));
    expect(Object.keys(files)).toEqual(listArrays(data).map(([name]) => `${name}.npy`));
    for (const [name, numbers, shape] of listArrays(data)) {
      const read = readNpy(files[`${name}.npy`]);
      expect([read.kind, read.shape]).toEqual([numbers instanceof Float32Array ? "<f4" : "|b1", [...shape]]);
      expect(read.numbers).toEqual(numbers);
    }
  });

  test("begins and ends as a Parquet file does", async () => {
    const bytes = encodeParquet(await make("mixed", 200));
    const text = Buffer.from(bytes);
    expect([text.subarray(0, 4).toString(), text.subarray(-4).toString()]).toEqual(["PAR1", "PAR1"]);
  });
});
