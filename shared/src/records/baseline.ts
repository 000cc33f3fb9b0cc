import { z } from "zod";
import { resultSchema } from "../model/result.js";
import { benchmarkIdentity, defineRecord } from "./record-kind.js";

export const baselineActions = ["pin", "unpin", "accept"] as const;

const { host, category, benchmark, runtime, device, params, name } = resultSchema.shape;

/** What somebody decided of the baseline of a benchmark on a host; the latest decision holds. */
export const baselineSchema = z.object({
  host,
  category,
  benchmark,
  runtime,
  device,
  params,
  name,
  time_us: z.int().nonnegative().describe("when it was decided, microseconds since the Unix epoch"),
  action: z.enum(baselineActions),
  by: z.string().describe("the name of who decided"),
  reason: z.string(),
  pinned_result: resultSchema.optional().describe("the result that is the baseline, whole; absent where none is pinned"),
  pinned_environment: z
    .record(z.string(), z.string())
    .optional()
    .describe("what the host was like then: kernel, driver, versions, commit"),
  accepted_us: z.int().nonnegative().describe("results of before this do not count for the rolling baseline; 0 where all do"),
});

export type BaselineRecord = z.infer<typeof baselineSchema>;

export const baselineRecord = defineRecord({
  measurement: "baseline",
  tags: benchmarkIdentity,
  identity: benchmarkIdentity,
  textField: "action",
  jsonFields: ["pinned_result", "pinned_environment"],
  origin: "derived",
  schema: baselineSchema,
});
