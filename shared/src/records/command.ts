import { z } from "zod";
import { defineRecord } from "./record-kind.js";

/**
 * What became of a command to a host:
 *
 *   asked, by the collector ──► done | refused, by the agent
 *                         └───► expired, by a collector: the agent did not take it in time
 *
 * Each state is a record of its own, under the command's id.
 */
export const commandStates = ["asked", "done", "refused", "expired"] as const;

const text = z.string();

export const commandRecordSchema = z.object({
  host: text.describe("the host that is asked"),
  command: text.describe("what is asked: a name of the catalogue of commands"),
  time_us: z.int().nonnegative(),
  id: text,
  state: z.enum(commandStates),
  by: text.optional().describe("who asked"),
  campaign: text.optional().describe("the campaign that it belongs to"),
  arguments: z.record(z.string(), z.unknown()).optional(),
  expires_us: z.int().nonnegative().optional().describe("when an agent that hears of it lets it be"),
  code: text.optional().describe("of what was refused: a code of the error catalogue"),
  message: text.optional(),
  result: z.record(z.string(), z.unknown()).optional(),
});

export type CommandRecord = z.infer<typeof commandRecordSchema>;

export const commandRecord = defineRecord({
  measurement: "command",
  tags: ["host", "command"],
  identity: ["host", "command"],
  textField: "id",
  jsonFields: ["arguments", "result"],
  origin: "batch",
  schema: commandRecordSchema,
});
