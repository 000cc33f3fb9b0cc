/**
 * The package's front door. Importing it loads no tensor library: those are loaded by the processes that measure them.
 */

export { Benchmarker, type BenchmarkerOptions } from "./benchmarker.js";
export { examineHost, type HostReport } from "./doctor.js";
export { type HostFacts, type HostFactsOptions, readHostFacts } from "./host/facts.js";
export { readFingerprint } from "./host/fingerprint.js";
export { nameHardwareClass } from "./host/hardware-class.js";
export { recallHardwareClass } from "./host/recalled-class.js";
export { nameBenchmark } from "./measure/benchmark-result.js";
export type { FunctionOptions } from "./measure/function-run.js";
export { runSuite, type SuiteOptions, type SuiteOutcome } from "./measure/suite-run.js";
export { findSuite, listBenchmarks, type Suite } from "./measure/suites.js";
export { type Colours, plainColours } from "./report/colours.js";
export { formatComparison } from "./report/comparison-table.js";
export { buildResultFile, makeResultFolder, readBaseline, writeResultFile } from "./report/result-files.js";
export { formatResultsTable } from "./report/results-table.js";
export { probeRuntimes, type RuntimeReport } from "./runtimes/registry.js";
export type { Benchmark, Command } from "./workloads/workload.js";
