import fc from "fast-check";
import { expect, test } from "vitest";
import { createOutbox } from "./outbox.js";
import type { Fate, Parcel } from "./parcel.js";

function makeParcel(sequence: number, priority: Parcel["priority"], size: number): Parcel {
  return { id: { host: "h", epochUs: 1, sequence }, priority, bytes: new Uint8Array(size), samples: 1 };
}

function collectGone(): { gone: [number, Fate][]; onGone: (parcel: Parcel, fate: Fate) => void } {
  const gone: [number, Fate][] = [];
  return { gone, onGone: ({ id: { sequence } }, fate) => gone.push([sequence, fate]) };
}

test("gives parcels in order and forgets what is released", () => {
  const { gone, onGone } = collectGone();
  const outbox = createOutbox(1000, onGone);
  for (const sequence of [1, 2, 3]) outbox.put(makeParcel(sequence, "telemetry", 10));
  expect(outbox.peek(0)?.id.sequence).toBe(1);
  expect(outbox.peek(1)?.id.sequence).toBe(2);
  outbox.release([2, 7], "committed");
  expect(outbox.peek(1)?.id.sequence).toBe(3);
  expect(outbox.peek(3)).toBeUndefined();
  expect(gone).toEqual([[2, "committed"]]);
  expect([outbox.batches, outbox.bytes]).toEqual([2, 20]);
});

test("at the bound the oldest telemetry goes first, then the oldest result", () => {
  const { gone, onGone } = collectGone();
  const outbox = createOutbox(30, onGone);
  outbox.put(makeParcel(1, "result", 10));
  outbox.put(makeParcel(2, "telemetry", 10));
  outbox.put(makeParcel(3, "telemetry", 10));
  outbox.put(makeParcel(4, "result", 10));
  expect(gone).toEqual([[2, "BUFFER_FULL"]]);
  outbox.put(makeParcel(5, "result", 10));
  expect(gone.map(([sequence]) => sequence)).toEqual([2, 3]);
  outbox.put(makeParcel(6, "telemetry", 10));
  expect(gone.map(([sequence]) => sequence)).toEqual([2, 3, 6]);
  outbox.put(makeParcel(7, "result", 10));
  expect(gone.map(([sequence]) => sequence)).toEqual([2, 3, 6, 1]);
});

const actionArbitrary = fc.oneof(
  fc.record({
    act: fc.constant("put" as const),
    priority: fc.constantFrom("telemetry", "result") as fc.Arbitrary<Parcel["priority"]>,
    size: fc.integer({ min: 0, max: 120 }),
  }),
  fc.record({ act: fc.constant("release" as const), sequence: fc.integer({ min: 0, max: 40 }) }),
);

test("any sequence of calls keeps the bound, the order and every parcel's single fate", () => {
  fc.assert(
    fc.property(fc.array(actionArbitrary, { maxLength: 60 }), (actions) => {
      const { gone, onGone } = collectGone();
      const outbox = createOutbox(100, onGone);
      let put = 0;
      for (const action of actions) {
        if (action.act === "put") outbox.put(makeParcel(++put, action.priority, action.size));
        else outbox.release([action.sequence], "committed");
        expect(outbox.bytes).toBeLessThanOrEqual(100);
      }
      const kept: Parcel[] = [];
      for (let parcel = outbox.peek(0); parcel !== undefined; parcel = outbox.peek(parcel.id.sequence)) kept.push(parcel);
      expect(kept.length).toBe(outbox.batches);
      expect(kept.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(outbox.bytes);
      const everything = [...kept.map(({ id: { sequence } }) => sequence), ...gone.map(([sequence]) => sequence)];
      expect(everything.sort((a, b) => a - b)).toEqual(Array.from({ length: put }, (_, i) => i + 1));
    }),
  );
});
