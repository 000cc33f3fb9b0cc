import { z } from "zod";
import { marks } from "../judgement/error-rate.js";
import { resultSchema } from "../model/result.js";
import { benchmarkIdentity, defineRecord } from "./record-kind.js";

const { host, category, benchmark, runtime, device, params, name, run } = resultSchema.shape;

/** What somebody said of a verdict: that the regression was none, or that it was one. The latest word holds. */
export const verdictMarkSchema = z.object({
  host,
  category,
  benchmark,
  runtime,
  device,
  params,
  name,
  time_us: z.int().nonnegative().describe("when it was said, microseconds since the Unix epoch"),
  mark: z.enum(marks),
  run: run.describe("the run whose result was called slower"),
  verdict_us: z.int().nonnegative().describe("the time of the verdict that it is said of"),
  by: z.string().describe("the name of who said it"),
  reason: z.string(),
});

export type VerdictMark = z.infer<typeof verdictMarkSchema>;

export const verdictMarkRecord = defineRecord({
  measurement: "verdict_mark",
  tags: benchmarkIdentity,
  identity: benchmarkIdentity,
  textField: "mark",
  runField: "run",
  origin: "derived",
  schema: verdictMarkSchema,
});
