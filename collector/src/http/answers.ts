import { resultSchema, runSchema } from "@fleetmark/shared/model/result";
import { z } from "zod";
import { aggregates } from "../store/store.js";

/** The shapes of what the HTTP API answers; its documentation and its serializers are made from them. */

const timeUs = z.int().nonnegative().describe("microseconds since the Unix epoch");
const count = z.int().nonnegative();
const tags = z.record(z.string(), z.string());

export const errorAnswer = z.object({
  code: z.string().describe("a code of the error catalogue"),
  message: z.string().describe("what happened"),
  remedy: z.string().describe("what to do"),
});

export const healthAnswer = z.object({ status: z.literal("ok") });

export const readyAnswer = z.object({ status: z.literal("ready") });
export const notReadyAnswer = z.object({ status: z.literal("not_ready"), reason: z.string() });

const progressSchema = z.object({
  run: z.string(),
  suite: z.string(),
  completed: count.describe("benchmarks completed"),
  total: count.describe("benchmarks of the suite"),
  benchmark: z.string().describe("the benchmark under way"),
  elapsed_s: z.number(),
  remaining_s: z.number(),
});

export const hostsAnswer = z.array(
  z.object({
    host: z.string(),
    version: z.string().describe("version of its agent"),
    hw_class: z.string().describe("hardware class"),
    inventory: z.record(z.string(), z.unknown()).describe("what the host is made of"),
    last_seen_us: timeUs.describe("when its agent was last heard of, microseconds since the Unix epoch"),
    attached: z.boolean(),
    attached_since_us: timeUs.nullable(),
    progress: progressSchema.nullable().describe("the run under way"),
    batches_received: count.describe("since the collector began"),
    batches_rejected: count.describe("since the collector began"),
    samples_refused: count.describe("since the collector began"),
  }),
);

export const runsAnswer = z.array(runSchema);
export const resultsAnswer = z.array(resultSchema);

const kpiReading = z.object({
  kpi: z.string(),
  value: z.number().nullable(),
  unit: z.enum(["ms", "%", "MB", "s", "steps/s"]),
  low: z.number().nullable().describe("lower bound of the 95 % interval"),
  high: z.number().nullable().describe("upper bound of the 95 % interval"),
  target: z.number(),
  alert: z.number(),
  status: z.enum(["ok", "missed", "alert", "missing"]),
  name: z.string().nullable().describe("the benchmark that speaks for the host"),
  run: z.string().nullable(),
  time_us: timeUs.nullable(),
});

export const kpisAnswer = z.array(
  z.object({
    host: z.string(),
    hw_class: z.string(),
    run: z.string().nullable().describe("the run that was asked for; null for the latest result of each benchmark"),
    kpis: z.array(kpiReading),
  }),
);

export const seriesAnswer = z.object({
  measurement: z.string(),
  field: z.string(),
  from_us: timeUs,
  to_us: timeUs,
  bucket_us: z.int().positive(),
  aggregate: z.enum(aggregates),
  series: z.array(
    z.object({
      tags,
      points: z
        .array(z.array(z.number()).length(2))
        .describe("start of the bucket in microseconds, and aggregate of its samples; empty buckets are left out"),
    }),
  ),
});

export const seriesNamesAnswer = z.array(z.object({ measurement: z.string(), field: z.string(), tags }));
