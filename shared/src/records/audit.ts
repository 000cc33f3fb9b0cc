import { z } from "zod";
import { defineRecord } from "./record-kind.js";

/** Who changed something through the HTTP API, or tried to. */
export const auditRecordSchema = z.object({
  collector: z.string().describe("name of the collector that was asked"),
  action: z.string().describe("the operation, by its id in the API's description"),
  time_us: z.int().nonnegative(),
  by: z.string().describe("the token's name; `owner` for who can read the collector's data directory, `nobody` else"),
  outcome: z.enum(["done", "failed", "forbidden"]),
  status: z.int().describe("HTTP status of the answer"),
  detail: z.string().describe("what was asked, without secrets, or why it was refused"),
});

export type AuditRecord = z.infer<typeof auditRecordSchema>;

export const auditRecord = defineRecord({
  measurement: "audit",
  tags: ["collector", "action"],
  identity: ["collector", "action"],
  textField: "by",
  origin: "derived",
  schema: auditRecordSchema,
});
