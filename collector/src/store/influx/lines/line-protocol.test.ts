import { BatchBuilder } from "@fleetmark/shared/model/batch";
import type { Point } from "@fleetmark/shared/model/series";
import { describe, expect, it } from "vitest";
import type { Samples } from "../../store.js";
import { formatLines } from "./line-protocol.js";

function build(...points: readonly Point[]): Samples {
  const builder = new BatchBuilder();
  for (const point of points) builder.add(point);
  return builder.build({ host: "h1", epochUs: 1, sequence: 1 });
}

function cpu(timeUs: number, fields: Point["fields"], tags: Point["tags"] = {}): Point {
  return { measurement: "cpu", tags, timeUs, fields };
}

describe("line protocol", () => {
  it("is a line for each moment, whatever order its samples come in", () => {
    const samples = build(cpu(1, { a: 1 }), cpu(2, { a: 2 }), cpu(1, { b: 3, text: 'x,a="' }), cpu(2, { b: 4 }));
    expect(formatLines([samples])).toEqual(['cpu a=1,b=3,text="x,a=\\"" 1', "cpu a=2,b=4 2"]);
  });

  it("begins another line for a field that the moment has already, so that the later one wins", () => {
    expect(formatLines([build(cpu(1, { a: 1, b: 2 }), cpu(1, { a: 3 }), cpu(1, { c: 4 }))])).toEqual([
      "cpu a=1,b=2 1",
      "cpu a=3,c=4 1",
    ]);
    // From two batches of one group, and from afar.
    expect(formatLines([build(cpu(1, { a: 1 })), build(cpu(1, { a: 2 }))])).toEqual(["cpu a=1 1", "cpu a=2 1"]);
    expect(formatLines([build(cpu(1, { a: 1 }), cpu(2, { a: 2 }), cpu(1, { a: 3 }))])).toEqual([
      "cpu a=1 1",
      "cpu a=2 2",
      "cpu a=3 1",
    ]);
    expect(formatLines([build(cpu(1, { text: "x" }), cpu(1, { text: "y" }))])).toEqual(['cpu text="x" 1', 'cpu text="y" 1']);
  });

  it("writes a backslash once, and twice where the server needs it", () => {
    const samples = build(cpu(1, { a: 1 }, { path: "C:\\a\\,b\\\\c d" }));
    expect(formatLines([samples])).toEqual(["cpu,path=C:\\a\\\\,b\\\\c\\ d a=1 1"]);
    expect(formatLines([samples], { doublesBackslash: true })).toEqual(["cpu,path=C:\\\\a\\\\\\,b\\\\\\\\c\\ d a=1 1"]);
  });
});
