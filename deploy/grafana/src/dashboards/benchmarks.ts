import { kpis } from "@fleetmark/shared/model/kpis";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard } from "../panels/layout.js";
import { barGauge, linkColumn, stateTimeline, table, timeseries, withoutColumns } from "../panels/panels.js";
import { colors, steps } from "../panels/thresholds.js";
import { units } from "../panels/units.js";
import { as, last, max, mean, median, min, quoteName, type Select } from "../queries/influxql.js";
import { querySeries, queryTable } from "../queries/target.js";
import { benchmarkVariables, ofTime, seriesName, seriesTags, whereBenchmark } from "./benchmark-series.js";
import {
  medianChange,
  memory,
  memoryChange,
  overhead,
  overheadChange,
  throughput,
  throughputChange,
} from "./benchmark-trends.js";

/** The dashboard opens on the benchmark of the training KPI, so that its panels compare like with like at once. */
const opening = kpis.find(({ id }) => id === "training_throughput_steps_per_sec")!;

function band() {
  const builder = timeseries({
    title: "Median, 95 % interval and p99",
    description:
      "Time of one iteration over all that is selected: the mean of the medians, the lowest and highest bound of their 95 % intervals, and the highest 99th percentile. Select one benchmark with one set of parameters on one runtime to read it as that benchmark's own.",
    queries: [
      querySeries(
        "A",
        {
          fields: [
            as(min("median_low"), "low"),
            as(max("median_high"), "high"),
            as(mean("median"), "median"),
            as(max("p99"), "p99"),
          ],
          from: "benchmark",
          where: ofTime,
          every: "$__interval",
          fill: "none",
        },
        "$col",
      ),
    ],
    unit: units.seconds,
    decimals: 2,
    sparse: true,
    logarithmic: true,
  });
  const plain = (color: string) => ({ id: "color", value: { mode: "fixed", fixedColor: color } });
  return builder
    .overrideByName("low", [
      plain(colors.plain),
      { id: "custom.lineWidth", value: 0 },
      { id: "custom.showPoints", value: "never" },
    ])
    .overrideByName("high", [
      plain(colors.plain),
      { id: "custom.lineWidth", value: 0 },
      { id: "custom.showPoints", value: "never" },
      { id: "custom.fillBelowTo", value: "low" },
      { id: "custom.fillOpacity", value: 25 },
    ])
    .overrideByName("median", [plain(colors.plain), { id: "custom.lineWidth", value: 2 }])
    .overrideByName("p99", [plain("orange"), { id: "custom.lineStyle", value: { fill: "dash", dash: [4, 4] } }]);
}

const medianPerHost = timeseries({
  title: "Median per host",
  description: "Median time of one iteration, per host and series.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(median("median"), "median")],
        from: "benchmark",
        where: ofTime,
        groupBy: ["host", ...seriesTags],
        every: "$__interval",
        fill: "none",
      },
      `$tag_host ${seriesName}`,
    ),
  ],
  unit: units.seconds,
  decimals: 2,
  sparse: true,
  logarithmic: true,
});

/** Bars of the latest medians, one for each value of the tag. */
function compareBy(tag: "host" | "runtime" | "device", title: string, description: string) {
  return barGauge({
    title,
    description: `${description} The median of the latest results of what is selected; select one benchmark to compare like with like.`,
    queries: [
      querySeries(
        "A",
        {
          fields: [as(median("latest"), "median")],
          from: { fields: [as(last("median"), "latest")], from: "benchmark", where: ofTime, groupBy: ["host", ...seriesTags] },
          groupBy: [tag],
        },
        `$tag_${tag}`,
      ),
    ],
    unit: units.seconds,
    decimals: 2,
    steps: steps(colors.plain),
  });
}

const verdicts = stateTimeline(
  {
    title: "Steady state",
    description:
      "How the iteration times of each benchmark behaved: flat from the start, settled after a warm-up, settled slower than they began, or never settled. What never settles can't be compared from run to run.",
    queries: [
      querySeries(
        "A",
        {
          fields: [as(last("steady_state"), "verdict")],
          from: "benchmark",
          where: whereBenchmark,
          groupBy: ["host", ...seriesTags],
          every: "$__interval",
          fill: "none",
        },
        `$tag_host ${seriesName}`,
      ),
    ],
    unit: "string",
    steps: steps(colors.muted),
  },
  { flat: "green", warmup: "blue", slowdown: "orange", no_steady_state: "red", unclassified: "text" },
)
  .interval("30m")
  .maxDataPoints(200);

/**
 * The latest result of each series, with its tags as columns of one answered series: Grafana's converter orders the
 * tags of grouped answers as it happens to find them, and may mix them up where there are several.
 */
function selectLatest(): Select {
  const shown = ["median_low", "median_high", "p99", "n", "throughput", "steady_state", "conclusive", "disturbance"];
  const latest: Select = {
    fields: [as(last("median"), "median"), ...shown.map(quoteName)],
    from: "benchmark",
    where: ofTime,
    groupBy: ["host", ...seriesTags],
  };
  return { fields: ["host", ...seriesTags, "median", ...shown].map(quoteName), from: latest };
}

function latestResults() {
  const builder = table({
    title: "Latest results",
    description:
      "The latest result of each benchmark on each host: median of one iteration with its 95 % interval, p99, samples, verdicts.",
    queries: [queryTable("A", selectLatest())],
    unit: units.seconds,
    decimals: 2,
    sortBy: "median",
    descending: true,
    transformations: [withoutColumns("^Time$")],
  });
  builder
    .overrideByName("n", [
      { id: "unit", value: units.count },
      { id: "decimals", value: 0 },
    ])
    .overrideByName("throughput", [
      { id: "unit", value: units.perSecond },
      { id: "decimals", value: 0 },
    ]);
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

export const benchmarkDashboard = buildDashboard({
  uid: dashboardUids.benchmarks,
  title: "Fleetmark: benchmark trends",
  description: "How the results of benchmarks develop, and how hosts, runtimes and devices compare",
  variables: benchmarkVariables,
  opensWith: { benchmark: [opening.benchmark], params: [opening.params ?? "*"] },
  from: "now-7d",
  refresh: "5m",
  shadesRuns: false,
  sections: [
    {
      title: "Time",
      shelves: [
        {
          height: 9,
          panels: [
            [8, band()],
            [8, medianPerHost],
            [8, medianChange],
          ],
        },
      ],
    },
    {
      title: "Throughput, memory, overhead",
      shelves: [
        {
          height: 8,
          panels: [
            [8, throughput],
            [8, memory],
            [8, overhead],
          ],
        },
        {
          height: 8,
          panels: [
            [8, throughputChange],
            [8, memoryChange],
            [8, overheadChange],
          ],
        },
      ],
    },
    {
      title: "Comparison",
      shelves: [
        {
          height: 10,
          panels: [
            [10, compareBy("host", "Hosts", "How hosts compare.")],
            [7, compareBy("runtime", "Runtimes", "How runtimes compare.")],
            [7, compareBy("device", "CPU and GPU", "How devices compare.")],
          ],
        },
      ],
    },
    {
      title: "Verdicts and results",
      shelves: [
        { height: 16, panels: [[24, verdicts]] },
        { height: 12, panels: [[24, latestResults()]] },
      ],
    },
  ],
});
