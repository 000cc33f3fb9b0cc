/** The package's front door. Importing it loads no tensor library: those are loaded by the processes that measure them. */

export {
  type Comparison,
  type ComparisonReport,
  compareWithBaseline,
  isFailure,
  isSteady,
} from "@fleetmark/shared/judgement/comparison";
export { Benchmarker, type BenchmarkerOptions, type FunctionOptions } from "./benchmarker.js";
export { examineHost, type HostReport } from "./doctor.js";
export { fingerprint, type HostFacts, hardwareClass, hostFacts } from "./machine/host.js";
export { nameBenchmark } from "./measure/build-result.js";
export { runSuite, type SuiteOptions, type SuiteOutcome, type SuiteProgress } from "./measure/suite-run.js";
export { findSuite, listBenchmarks, type Suite } from "./measure/suites.js";
export { type Colours, plainColours } from "./report/colours.js";
export { formatComparison } from "./report/comparison-table.js";
export { buildResultFile, makeResultFolder, readBaseline, writeResultFile } from "./report/result-files.js";
export { formatResultsTable } from "./report/results-table.js";
export { type Column, formatNumber, formatSeconds, formatTable, left, right } from "./report/table.js";
export { probeRuntimes, type RuntimeReport } from "./runtimes/registry.js";
export type { Benchmark } from "./workloads/workload.js";
