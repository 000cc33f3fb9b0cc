import { kpis } from "@fleetmark/shared/model/kpis";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard } from "../panels/layout.js";
import {
  alertList,
  colorColumn,
  freshnessColumn,
  joinBy,
  linkColumn,
  lossInterval,
  shapeColumn,
  stat,
  statusHistory,
  table,
  timeseries,
  withoutColumns,
} from "../panels/panels.js";
import { colors, kpiSteps, noneSteps, severitySteps, steps } from "../panels/thresholds.js";
import { kpiUnit, units } from "../panels/units.js";
import { as, count, last, max, mean, perSecond, quoteName, selected, selectGrowth, sum } from "../queries/influxql.js";
import {
  countSeverities,
  kpiConditions,
  kpiVariables,
  selectCurrent,
  selectLateness,
  selectSeverities,
} from "../queries/kpi-queries.js";
import { letterOf, querySeries, queryTable } from "../queries/target.js";

const kpiWhere = kpiVariables.map((name) => selected(name));
const whereHost = [selected("host")];

const hostsUp = stat({
  title: "Hosts up",
  description: "Hosts whose agents have reported within the last two minutes.",
  queries: [
    querySeries("A", {
      fields: [as(count("up"), "hosts")],
      from: { fields: [as(last("rss_bytes"), "up")], from: "agent", where: whereHost, groupBy: ["host"] },
    }),
  ],
  unit: units.whole,
  steps: steps(colors.plain),
  lastOnly: "2m",
});

const hostsKnown = stat({
  title: "Hosts seen",
  description: "Hosts whose agents have reported within the last day. More than are up: somebody is silent.",
  queries: [
    querySeries("A", {
      fields: [as(count("up"), "hosts")],
      from: { fields: [as(last("rss_bytes"), "up")], from: "agent", where: whereHost, groupBy: ["host"] },
    }),
  ],
  unit: units.whole,
  steps: steps(colors.plain),
  lastOnly: "24h",
});

const pastAlert = stat({
  title: "KPIs in alert",
  description: "KPIs in the time shown that are past their alert threshold, over all hosts.",
  queries: [
    querySeries("A", { fields: [as(count("severity"), "KPIs")], from: selectSeverities(kpiWhere), where: ['"severity" > 2'] }),
  ],
  unit: units.whole,
  steps: noneSteps,
});

const pastTarget = stat({
  title: "KPIs off target",
  description:
    "KPIs whose latest value in the time shown misses the target, but is not past the alert threshold, over all hosts.",
  queries: [querySeries("A", countSeverities(['"severity" >= 1', '"severity" <= 2']))],
  unit: units.whole,
  steps: steps(colors.good, [1, colors.missed]),
});

const runs = stat({
  title: "Runs, last day",
  description: "Suite runs that ended within the last 24 hours.",
  queries: [querySeries("A", { fields: [as(count("completed"), "runs")], from: "run", where: whereHost })],
  unit: units.whole,
  steps: steps(colors.plain),
  lastOnly: "24h",
});

const failedBenchmarks = stat({
  title: "Failed, last day",
  description: "Benchmarks of the runs of the last 24 hours that gave no result.",
  queries: [querySeries("A", { fields: [as(`${sum("total")} - ${sum("completed")}`, "failed")], from: "run", where: whereHost })],
  unit: units.whole,
  steps: noneSteps,
  lastOnly: "24h",
});

const committed = stat({
  title: "Samples stored",
  // From sample to sample: of buckets, the last has only begun and would show less than there is.
  description: "Samples that the collectors have committed per second, over the last five minutes.",
  queries: [
    querySeries("A", {
      fields: [as(sum("rate"), "samples")],
      from: {
        fields: [as(mean("step"), "rate")],
        from: { fields: [as(perSecond(quoteName("samples_committed")), "step")], from: "collector", groupBy: ["host"] },
        groupBy: ["host"],
      },
    }),
  ],
  unit: units.perSecond,
  decimals: 0,
  steps: steps(colors.plain),
  lastOnly: "5m",
});

const latency = stat(
  {
    title: "Delay, p99",
    description: "Time from a batch's newest sample to its commit, 99th percentile, of the slowest collector.",
    queries: [
      querySeries("A", { fields: [as(max("end_to_end_p99_s"), "p99")], from: "collector", every: "$__interval", fill: "none" }),
    ],
    unit: units.seconds,
    decimals: 1,
    steps: steps(colors.good, [10, colors.missed], [60, colors.bad]),
  },
  true,
);

/** Pixels that a heading takes in a table's bold text, with its margins and the sign of the order. */
function headingWidth(heading: string): number {
  return heading.length * 7 + 28;
}

function worstKpis() {
  const builder = table({
    title: "KPIs per host",
    description:
      "Latest value of each KPI, per host, coloured by target (yellow) and alert threshold (red). Severity is that of the host's worst KPI: 1 at the target, 2 at the alert threshold. KPIs are stale once a host's schedule is overdue by as much as lies between two of its starts: they say how fast it was. The worst hosts come first; a click on a host opens its dashboard.",
    queries: [
      queryTable("S", {
        fields: [as(max("severity"), "severity"), '"kpi" AS "worst"'],
        from: selectSeverities(kpiWhere),
        groupBy: ["host"],
      }),
      queryTable("L", selectLateness("state")),
      ...kpis.map((kpi, i) =>
        queryTable(letterOf(i), selectCurrent(kpi, kpi.title, ["host"], kpiConditions(kpi), kpiUnit(kpi).divisor)),
      ),
    ],
    unit: units.count,
    sortBy: "severity",
    descending: true,
    transformations: [withoutColumns("^Time$"), joinBy("host")],
  });
  shapeColumn(builder, "severity", { width: 90 });
  // The longest title, and no heading longer than it: all columns fit on a screen 1600 pixels wide.
  const titles = Object.fromEntries(kpis.map(({ id, title }) => [id, title]));
  shapeColumn(builder, "worst", { width: 180, heading: "worst KPI", words: titles });
  freshnessColumn(builder, "state");
  colorColumn(builder, "severity", { unit: units.count, decimals: 2, steps: severitySteps });
  for (const kpi of kpis) {
    const { unit, decimals } = kpiUnit(kpi);
    colorColumn(builder, kpi.title, { unit, decimals, steps: kpiSteps(kpi) });
    shapeColumn(builder, kpi.title, { width: headingWidth(kpi.title) });
  }
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

function heatMap() {
  return statusHistory({
    title: "Worst KPI over time",
    description:
      "Severity of the worst KPI of each host: green on the good side of its target, yellow past the target, red past the alert threshold. A cell without colour had no run.",
    queries: [
      querySeries(
        "A",
        {
          fields: [as(max("severity"), "severity")],
          from: selectSeverities(kpiWhere, "$__interval"),
          groupBy: ["host"],
          every: "$__interval",
          // Empty steps too: of a single time Grafana draws nothing.
          fill: "null",
        },
        "$tag_host",
      ),
    ],
    unit: units.count,
    decimals: 2,
    steps: severitySteps,
  })
    .interval("1h")
    .maxDataPoints(56);
}

function lastSeen() {
  const builder = table({
    title: "Last heard of",
    description: "When each agent reported last, within the last day; the longest silent come first.",
    queries: [
      queryTable("A", { fields: [as(last("rss_bytes"), "agent memory")], from: "agent", where: whereHost, groupBy: ["host"] }),
    ],
    unit: units.bytes,
    sortBy: "last heard of",
    descending: false,
    lastOnly: "24h",
  });
  builder.overrideByName("Time", [
    { id: "unit", value: units.age },
    { id: "displayName", value: "last heard of" },
  ]);
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

const byReason = { where: whereHost, groupBy: ["host", "reason"], every: "$__interval" };
const lost = timeseries({
  title: "Samples lost on the way",
  description:
    "Samples that agents dropped because their spool was full, and that collectors refused, per reason. Both should be none.",
  queries: [
    querySeries("A", selectGrowth("agent", "samples_dropped", "dropped", byReason), "$tag_host dropped $tag_reason"),
    querySeries("B", selectGrowth("agent", "samples_refused", "refused", byReason), "$tag_host refused $tag_reason"),
  ],
  unit: units.count,
  min: 0,
}).interval(lossInterval);

export const fleetDashboard = buildDashboard({
  uid: dashboardUids.fleet,
  title: "Fleetmark: fleet",
  description: "Whether the fleet is there, how fast it is against its KPIs, and whether what it measures arrives",
  variables: kpiVariables,
  from: "now-24h",
  refresh: "1m",
  shadesRuns: false,
  sections: [
    {
      title: "Now",
      shelves: [
        {
          height: 4,
          panels: [
            [3, hostsUp],
            [3, hostsKnown],
            [3, pastAlert],
            [3, pastTarget],
            [3, runs],
            [3, failedBenchmarks],
            [3, committed],
            [3, latency],
          ],
        },
      ],
    },
    {
      title: "KPIs",
      shelves: [
        { height: 16, panels: [[24, worstKpis()]] },
        { height: 16, panels: [[24, heatMap()]] },
      ],
    },
    {
      title: "Alerts and delivery",
      shelves: [
        {
          height: 10,
          panels: [
            [8, alertList("Firing alerts", "Fleetmark's alerts that fire now with their hosts, the newest first.")],
            [6, lastSeen()],
            [10, lost],
          ],
        },
      ],
    },
  ],
});
