import { equals, selected } from "../queries/influxql.js";

/** Which results the dashboard of benchmarks reads, and how their series are told from each other. */

export const benchmarkVariables = ["host", "hw_class", "category", "benchmark", "params", "runtime", "device"] as const;

export const whereBenchmark = benchmarkVariables.map((name) => selected(name));
export const ofTime = [...whereBenchmark, equals("quantity", "time")];

/** Tags that tell a benchmark's series on one host from each other. */
export const seriesTags = ["benchmark", "params", "runtime", "device"] as const;
export const seriesName = "$tag_runtime/$tag_device $tag_benchmark{$tag_params}";
