import type { Result } from "@fleetmark/shared/model/result";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../../shared/test/records.js";
import { readLastOfEach } from "./last-results.js";
import type { Page, Source } from "./source.js";

/** A source that answers pages as the stores do: of before a time, the newest first. */
function createSource(results: readonly Result[]): Pick<Source, "readNewest" | "readResults"> & { pages: number } {
  const sorted = [...results].sort((a, b) => b.time_us - a.time_us);
  const source = {
    pages: 0,
    readResults: async () => sorted,
    readNewest: async (_: object, { beforeUs = Number.POSITIVE_INFINITY, limit }: Page) => {
      source.pages++;
      return sorted.filter(({ time_us }) => time_us < beforeUs).slice(0, limit);
    },
  };
  return source;
}

const series = (name: string, times: readonly number[]): Result[] => times.map((time_us) => makeResult({ name, time_us }));
const count = (length: number): number[] => Array.from({ length }, (_, i) => i + 1);

describe("the last results of each benchmark", () => {
  it("are the newest of each, however unlike their numbers", async () => {
    const source = createSource([...series("often", count(2500)), ...series("seldom", [3, 1])]);
    const found = await readLastOfEach(source, {}, 2);
    expect(found.map(({ name, time_us }) => [name, time_us])).toEqual([
      ["often", 2500],
      ["often", 2499],
      ["seldom", 3],
      ["seldom", 1],
    ]);
  });

  it("are read no further than they reach", async () => {
    const source = createSource(series("often", count(5000)));
    expect(await readLastOfEach(source, {}, 3)).toHaveLength(3);
    expect(source.pages).toBe(1);
  });

  it("are found where a page ends within one moment", async () => {
    const names = count(1200).map(String);
    const source = createSource(names.flatMap((name) => series(name, [10, 5])));
    const found = await readLastOfEach(source, {}, 2, ({ name }) => name !== "7");
    // The stores answer at most a page of one moment; of the others the earlier results are found.
    expect(found.filter(({ time_us }) => time_us === 10).length).toBeGreaterThanOrEqual(999);
    expect(found.some(({ name }) => name === "7")).toBe(false);
  });

  it("are none where nothing was measured", async () => {
    expect(await readLastOfEach(createSource([]), {}, 2)).toEqual([]);
  });
});
