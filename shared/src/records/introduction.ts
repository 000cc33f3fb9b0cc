import { z } from "zod";
import type { Point } from "../model/series.js";
import { parseRecord, type RecordKind } from "./record-kind.js";

/** A host as its agent introduced it. */
export const introductionSchema = z.object({
  host: z.string(),
  version: z.string().describe("version of its agent"),
  hw_class: z.string().describe("hardware class"),
  inventory: z.record(z.string(), z.unknown()).describe("what the host is made of"),
  time_us: z.int().nonnegative().describe("when it introduced itself, microseconds since the Unix epoch"),
});

export type Introduction = z.infer<typeof introductionSchema>;

const measurement = "agent";

/** Lays out an introduction as it is stored. The inventory is stored to the letter as the agent wrote it. */
export function layOutIntroduction(
  introduction: Omit<Introduction, "inventory" | "time_us">,
  inventoryJson: string,
  timeUs: number,
): Point {
  const { host, version, hw_class } = introduction;
  return { measurement, tags: { host }, timeUs, fields: { version, hardware_class: hw_class, inventory: inventoryJson } };
}

/**
 * Introductions share their measurement with what agents tell of themselves: its texts are the record, its numbers
 * are telemetry.
 */
export const introductionRecord: RecordKind<Introduction> = {
  measurement,
  tags: ["host"],
  identity: ["host"],
  textField: "version",
  runField: undefined,
  ownFields: ["version", "hardware_class", "inventory"],
  origin: "hello",
  schema: introductionSchema,
  toPoint: (introduction) => layOutIntroduction(introduction, JSON.stringify(introduction.inventory), introduction.time_us),
  fromPoint: (point) =>
    parseRecord(introductionSchema, point, () => {
      const { version, hardware_class, inventory } = point.fields;
      return { host: point.tags.host ?? "", version, hw_class: hardware_class, inventory: JSON.parse(String(inventory)) };
    }),
};
