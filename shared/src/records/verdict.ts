import { z } from "zod";
import { causes } from "../judgement/explanation.js";
import { baselineKinds, type Judgement } from "../judgement/judge-result.js";
import { severities } from "../judgement/severity.js";
import { verdicts } from "../judgement/verdict.js";
import { type Result, resultSchema } from "../model/result.js";
import { benchmarkIdentity, defineRecord } from "./record-kind.js";

const { name, host, hw_class, suite, category, benchmark, runtime, device, params, time_us, run, unit } = resultSchema.shape;

/** What a collector finds of a result, against its baseline. It is known by its result: the same tags and time. */
export const verdictSchema = z.object({
  host,
  hw_class,
  suite,
  category,
  benchmark,
  runtime,
  device,
  params,
  time_us,
  run,
  name,
  verdict: z.enum(verdicts),
  severity: z.enum(severities),
  baseline: z.enum(baselineKinds).describe("what it is compared with; none where nothing is comparable"),
  baseline_results: z.int().nonnegative().describe("results that the baseline is made of"),
  before: z.number().describe("the baseline's level, in the result's unit"),
  after: z.number().describe("the result"),
  unit,
  change: z.number().describe("percent, positive where it is slower or more; of an overhead percentage points"),
  low: z.number().optional().describe("lower bound of the change, with what the machine itself may explain"),
  high: z.number().optional(),
  since_us: z.int().nonnegative().describe("when the level that the result is at began, microseconds since the Unix epoch"),
  cause: z.enum([...causes, ""]).describe("what explains it best; empty where there is nothing to explain"),
  why: z.string().describe("what explains it, in words"),
  lasted: z.int().nonnegative().optional().describe("results in a row that were called slower, with this one"),
  caution: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe("the next is judged by this share of judge.false_alarms_per_year, learned from false alarms"),
});

export type VerdictRecord = z.infer<typeof verdictSchema>;

export const verdictRecord = defineRecord({
  measurement: "verdict",
  tags: ["host", "hw_class", "suite", "category", "benchmark", "runtime", "device", "params"],
  identity: benchmarkIdentity,
  textField: "verdict",
  runField: "run",
  origin: "derived",
  schema: verdictSchema,
});

/** Lays a judgement of a result down as a record. */
export function recordVerdict(result: Result, judgement: Judgement): VerdictRecord {
  return {
    host: result.host,
    hw_class: result.hw_class,
    suite: result.suite,
    category: result.category,
    benchmark: result.benchmark,
    runtime: result.runtime,
    device: result.device,
    params: result.params,
    time_us: result.time_us,
    run: result.run,
    name: result.name,
    unit: result.unit,
    ...judgement,
  };
}
