import type { Batch } from "@fleetmark/shared/model/batch";
import { describe, expect, it } from "vitest";
import { rememberSent, selectUnsent } from "./sent-batches.js";

const nothing = { series: [], times: [], timeUs: [], values: [] };

function makeBatch(sequence: number, digest: number | undefined): Batch {
  return { id: { host: "h1", epochUs: 1, sequence }, digest, series: [], numbers: nothing, texts: nothing } as never;
}

describe("the memory of what was sent", () => {
  it("leaves out what comes again, in one group or later, and not what has another content", () => {
    const sent = new Set<string>();
    const [first, other] = [makeBatch(1, 7), makeBatch(1, 8)];
    expect(selectUnsent(sent, [first, first, other])).toEqual([first, other]);
    rememberSent(sent, [first]);
    expect(selectUnsent(sent, [makeBatch(1, 7), other, makeBatch(2, 7)])).toEqual([other, makeBatch(2, 7)]);
  });

  it("is bounded, and forgets the eldest", () => {
    const sent = new Set<string>();
    const batches = Array.from({ length: 20_001 }, (_, i) => makeBatch(i, i));
    rememberSent(sent, batches);
    expect(sent.size).toBe(20_000);
    expect(selectUnsent(sent, batches)).toEqual([batches[0]]);
  });
});
