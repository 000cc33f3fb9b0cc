import { describe, expect, it } from "vitest";
import { collectorConfigSchema } from "../config.js";
import { findHorizonUs, hourUs, isKeptWhole } from "./retention.js";

const read = (retention: object) => collectorConfigSchema.safeParse({ store: { retention } });

describe("store.retention", () => {
  it("keeps telemetry for 30 days, hours for 400 and records for ever unless told otherwise", () => {
    expect(read({}).data?.store.retention).toEqual({ raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY });
    const all = { raw: "forever", hourly: "forever", records: "forever" };
    expect(read(all).data?.store.retention.raw).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [{ raw: "3d" }, /at least 4d/],
    [{ raw: "forever" }, /hourly.*not be shorter/s],
    [{ raw: "50d", hourly: "40d" }, /not be shorter/],
    [{ records: "10d" }, /not be shorter/],
    [{ raw: "a month" }, /not a duration such as 30d, nor forever/],
  ])("refuses %j", (retention, message) => {
    expect(read(retention).error?.message).toMatch(message);
  });
});

describe("findHorizonUs", () => {
  it("is the full hour before which nothing is kept, or the beginning of time", () => {
    expect(findHorizonUs(3600, 10.5 * hourUs)).toBe(9 * hourUs);
    expect(findHorizonUs(Number.POSITIVE_INFINITY, 1e15)).toBe(0);
    expect(findHorizonUs(86_400, hourUs)).toBe(0);
  });
});

describe("isKeptWhole", () => {
  it("is true of records and of how hosts introduced themselves", () => {
    const kept = (measurement: string, kind: "numbers" | "texts") => isKeptWhole({ measurement }, kind);
    expect(["benchmark", "run", "kpi", "verdict", "alert"].every((name) => kept(name, "numbers") && kept(name, "texts"))).toBe(
      true,
    );
    expect([kept("agent", "texts"), kept("agent", "numbers"), kept("cpu", "texts")]).toEqual([true, false, false]);
  });
});
