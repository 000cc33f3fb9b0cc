import { resultSchema } from "../model/result.js";
import { benchmarkIdentity, defineRecord } from "./record-kind.js";

/**
 * Results of benchmarks. Those of one benchmark on one host follow each other, whatever suite they were measured in.
 */
export const resultRecord = defineRecord({
  measurement: "benchmark",
  tags: ["host", "hw_class", "suite", "category", "benchmark", "runtime", "device", "params"],
  identity: benchmarkIdentity,
  textField: "run",
  runField: "run",
  jsonFields: ["metadata", "run_medians"],
  origin: "batch",
  schema: resultSchema,
});
