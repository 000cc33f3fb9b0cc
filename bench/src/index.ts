/**
 * The package's front door. Importing it loads no tensor library: those are loaded by the processes that measure them.
 */

export { matchGlob } from "@fleetmark/shared/model/glob";
export { Benchmarker, type BenchmarkerOptions, type ResultSink } from "./benchmarker.js";
export { examineHost, type HostReport } from "./doctor.js";
export { type HostFacts, type HostFactsOptions, readHostFacts } from "./host/facts.js";
export { readFingerprint } from "./host/fingerprint.js";
export { nameHardwareClass } from "./host/hardware-class.js";
export { recallHardwareClass } from "./host/recalled-class.js";
export { nameBenchmark } from "./measure/benchmark-result.js";
export type { FunctionOptions } from "./measure/function-run.js";
export { type OtherBuild, runSuite, type SuiteOptions, type SuiteOutcome } from "./measure/suite-run.js";
export { readPerson } from "./origin/ci.js";
export { findOrigin } from "./origin/origin.js";
export { type Colours, plainColours } from "./report/colours.js";
export { describeOtherMemory, formatComparison } from "./report/comparison-table.js";
export { formatOrigin, formatOrigins } from "./report/origin-line.js";
export { buildResultFile, makeResultFolder, readBaseline, writeResultFile } from "./report/result-files.js";
export { formatResultsTable } from "./report/results-table.js";
export { readRunHistory } from "./report/run-history.js";
export { formatSummary, type SummaryFacts } from "./report/summary.js";
export { probeRuntimes, type RuntimeReport, runtimeNames } from "./runtimes/probe.js";
export { readSuiteFile, readSuiteFiles } from "./suite-file/suite-file.js";
export { findSuite, listBenchmarks, type Suite, suites } from "./suites/suites.js";
export type { Benchmark, Command } from "./workloads/workload.js";
