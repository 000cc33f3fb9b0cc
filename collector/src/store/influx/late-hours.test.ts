import { describe, expect, it } from "vitest";
import { buildBatch } from "../../../test/support.js";
import { hourUs } from "../retention.js";
import { createLateHours } from "./late-hours.js";

const point = (hour: number, measurement = "cpu") => ({ measurement, tags: {}, timeUs: hour * hourUs + 5, fields: { value: 1 } });

describe("late hours", () => {
  it("are those of telemetry before a time, joined by host, and handed out once", () => {
    const late = createLateHours();
    late.add(
      [
        buildBatch(
          1,
          [1, 2, 2, 5, 9].map((hour) => point(hour)),
        ),
        buildBatch(1, [point(3), point(1, "kpi")], "h2"),
      ],
      9 * hourUs,
    );
    const ranges = [
      { host: "h1", fromUs: hourUs, toUs: 3 * hourUs },
      { host: "h1", fromUs: 5 * hourUs, toUs: 6 * hourUs },
      { host: "h2", fromUs: 3 * hourUs, toUs: 4 * hourUs },
    ];
    expect(late.isEmpty()).toBe(false);
    expect(late.drain()).toEqual(ranges);
    expect([late.isEmpty(), late.drain()]).toEqual([true, []]);
    late.restore(ranges);
    expect(late.drain()).toEqual(ranges);
  });
});
