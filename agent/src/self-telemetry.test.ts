import { expect, it } from "vitest";
import { createCounts } from "./delivery/counts.js";
import { createClockOffsetMeter } from "./links/clock-offset.js";
import { createSelfTelemetry } from "./self-telemetry.js";

it("lets what counts by reason begin with 0, but not what an earlier process has counted", () => {
  const counts = createCounts();
  counts.dropped.set("OLD", 7);
  const spool = { batches: 0, bytes: 0, limitBytes: 1, oldestPutMs: undefined };
  const parts = { counts, spool, clock: { steps: 0 } } as unknown as Parameters<typeof createSelfTelemetry>[0];
  const sample = createSelfTelemetry(parts, createClockOffsetMeter());
  const dropped = (timeUs: number) =>
    sample(timeUs).flatMap(({ tags, timeUs: at, fields }) =>
      fields.samples_dropped === undefined ? [] : [[tags.reason, at, fields.samples_dropped]],
    );
  expect(dropped(1000)).toEqual([["OLD", 1000, 7]]);
  counts.dropped.set("NEW", 3);
  expect(dropped(2000)).toEqual([
    ["OLD", 2000, 7],
    ["NEW", 1000, 0],
    ["NEW", 2000, 3],
  ]);
  expect(dropped(3000)).toEqual([
    ["OLD", 3000, 7],
    ["NEW", 3000, 3],
  ]);
});
