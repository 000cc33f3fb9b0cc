import { timeseries } from "../panels/panels.js";
import { units } from "../panels/units.js";
import { absoluteAxis, relativeAxis, selectAbsoluteChange, selectRelativeChange } from "../queries/change.js";
import { as, equals, max, median, type Select, selected } from "../queries/influxql.js";
import { querySeries } from "../queries/target.js";
import { ofTime, seriesName, seriesTags, whereBenchmark } from "./benchmark-series.js";

/** Throughput, memory and overhead of benchmarks over time, and the changes of these and of the median. */

/** Draws how far series are from their first value in the time shown. */
function drawChange(title: string, series: Select, alias: string, isShare = false) {
  const measure = isShare ? "Percentage points" : "Percent";
  return timeseries({
    title,
    description: `${measure} by which each series differs from its own first value in the time shown: a change of a twentieth stands out, whatever the axis of the trend spans. What is beyond this one's stands in the legend.`,
    queries: [querySeries("A", isShare ? selectAbsoluteChange(series) : selectRelativeChange(series), alias)],
    unit: units.percent,
    decimals: 1,
    ...(isShare ? absoluteAxis : relativeAxis),
    sparse: true,
  });
}

/** A series for the change: one aggregate of a field in each step of the chart. */
function selectSteps(aggregate: string, where: readonly string[], groupBy: readonly string[]): Select {
  return { fields: [as(aggregate, "v")], from: "benchmark", where, groupBy, every: "$__interval", fill: "none" };
}

export const medianChange = drawChange(
  "Change of the median",
  selectSteps(median("median"), ofTime, ["host", ...seriesTags]),
  `$tag_host ${seriesName}`,
);

export const throughput = timeseries({
  title: "Throughput",
  description:
    "What a benchmark processes per second at its median (steps, transitions, passes, elements), per series, the median over the selected hosts.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(median("throughput"), "throughput")],
        from: "benchmark",
        where: [...whereBenchmark, '"throughput" > 0'],
        groupBy: seriesTags,
        every: "$__interval",
        fill: "none",
      },
      seriesName,
    ),
  ],
  unit: units.perSecond,
  sparse: true,
});

export const memory = timeseries({
  title: "Peak memory",
  description: "Peak resident memory of the benchmark's isolated process, per series, the highest among the selected hosts.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(max("memory_peak_mb"), "peak")],
        from: "benchmark",
        where: whereBenchmark,
        groupBy: seriesTags,
        every: "$__interval",
        fill: "none",
      },
      seriesName,
    ),
  ],
  unit: units.megabytes,
  decimals: 0,
  min: 0,
  sparse: true,
});

const whereOverhead = [selected("host"), selected("hw_class"), equals("quantity", "overhead")];

export const overhead = timeseries({
  title: "Overhead",
  description:
    "Median of the benchmarks that measure a relative cost, such as that of checking safety, per series; the median over the selected hosts, whichever benchmark is selected.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(median("median"), "overhead")],
        from: "benchmark",
        where: whereOverhead,
        groupBy: seriesTags,
        every: "$__interval",
        fill: "none",
      },
      seriesName,
    ),
  ],
  unit: units.percent,
  decimals: 1,
  sparse: true,
});

export const throughputChange = drawChange(
  "Change of the throughput",
  selectSteps(median("throughput"), [...whereBenchmark, '"throughput" > 0'], seriesTags),
  seriesName,
);

export const memoryChange = drawChange(
  "Change of the peak memory",
  selectSteps(max("memory_peak_mb"), whereBenchmark, seriesTags),
  seriesName,
);

export const overheadChange = drawChange(
  "Change of the overhead",
  selectSteps(median("median"), whereOverhead, seriesTags),
  seriesName,
  true,
);
