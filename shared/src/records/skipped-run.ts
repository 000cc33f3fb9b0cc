import { z } from "zod";
import { runLifeShape, runSchema, runTriggers } from "../model/result.js";
import { defineRecord } from "./record-kind.js";

const { host, hw_class, suite } = runSchema.shape;
const { schedule, command } = runLifeShape;

/** Why a run never began: its time passed unseen, the host was not free for it, or somebody called it off. */
export const skipOutcomes = ["missed", "refused", "cancelled"] as const;

/** A run that was due and did not begin: a gap in what was measured, with its reason. */
export const skippedRunSchema = z.object({
  host,
  hw_class,
  suite,
  time_us: z.int().nonnegative().describe("when it was given up, microseconds since the Unix epoch"),
  outcome: z.enum(skipOutcomes),
  run: z.string().describe("the id that the run would have had"),
  trigger: z.enum(runTriggers),
  reason: z.string(),
  due_us: z.int().nonnegative().describe("when it was to begin; of several that were missed in a row, the first"),
  count: z.int().positive().describe("how many starts it speaks for"),
  schedule,
  command,
});

export type SkippedRun = z.infer<typeof skippedRunSchema>;

export const skippedRunRecord = defineRecord({
  measurement: "skipped_run",
  tags: ["host", "hw_class", "suite"],
  identity: ["host", "suite"],
  textField: "outcome",
  runField: "run",
  origin: "batch",
  schema: skippedRunSchema,
});
