import { type Kpi, kpis } from "@fleetmark/shared/model/kpis";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard, type Section } from "../panels/layout.js";
import { drawAsLimit, histogram, linkColumn, table, timeseries, withoutColumns } from "../panels/panels.js";
import { colors, kpiSteps } from "../panels/thresholds.js";
import { kpiUnit } from "../panels/units.js";
import { as, last, max, min } from "../queries/influxql.js";
import { kpiConditions, kpiVariables, selectCurrent, speaker } from "../queries/kpi-queries.js";
import { querySeries, queryTable } from "../queries/target.js";

/** Title of the panel that a KPI's alerts lead to. */
export function trendTitle(kpi: Kpi): string {
  return `${kpi.title}: trend`;
}

function sayGoal(kpi: Kpi): string {
  const sign = kpi.better === "lower" ? "under" : "over";
  return `Target ${sign} ${kpi.target} ${kpi.unit}, alert past ${kpi.alert} ${kpi.unit}.`;
}

function trend(kpi: Kpi) {
  const speaking = speaker(kpi) === "max" ? max : min;
  const where = kpiConditions(kpi);
  const builder = timeseries({
    title: trendTitle(kpi),
    description: `${kpi.description}, of each host. ${sayGoal(kpi)} In steps of an hour or more; the dashed lines are the target and the alert threshold.`,
    queries: [
      querySeries(
        "A",
        { fields: [as(speaking("value"), "value")], from: "kpi", where, groupBy: ["host"], every: "$__interval", fill: "none" },
        "$tag_host",
      ),
      querySeries(
        "B",
        {
          fields: [as(last("target"), "target"), as(last("alert"), "alert")],
          from: "kpi",
          where,
          every: "$__interval",
          fill: "none",
        },
        "$col",
      ),
    ],
    ...kpiUnit(kpi),
    steps: kpiSteps(kpi),
    sparse: true,
    // A run's results end one after the other: a narrow bucket might hold those of a slow runtime alone, and take it
    // for the host's best.
  }).interval("1h");
  drawAsLimit(builder, "target", colors.missed);
  return drawAsLimit(builder, "alert", colors.bad);
}

function currentPerHost(kpi: Kpi) {
  const { unit, decimals } = kpiUnit(kpi);
  const builder = table({
    title: `${kpi.title}: now, per host`,
    description: `Latest value of each host, the worst first. ${sayGoal(kpi)} A click on a host opens its dashboard.`,
    queries: [queryTable("A", selectCurrent(kpi, "value", ["host"], kpiConditions(kpi)))],
    unit,
    decimals,
    steps: kpiSteps(kpi),
    sortBy: "value",
    descending: kpi.better === "lower",
    transformations: [withoutColumns("^Time$")],
  });
  builder.overrideByName("value", [{ id: "custom.cellOptions", value: { type: "color-text" } }]);
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

function distribution(kpi: Kpi) {
  return histogram(
    {
      title: `${kpi.title}: distribution`,
      description: `How many hosts have which latest value. Hosts of one hardware class should lie together: one that stands apart deserves a look. ${sayGoal(kpi)}`,
      queries: [querySeries("A", selectCurrent(kpi, "value", ["host"], kpiConditions(kpi)), "$tag_host")],
      ...kpiUnit(kpi),
      steps: kpiSteps(kpi),
    },
    20,
  );
}

function section(kpi: Kpi): Section {
  return {
    title: kpi.title,
    shelves: [
      {
        height: 9,
        panels: [
          [6, currentPerHost(kpi)],
          [12, trend(kpi)],
          [6, distribution(kpi)],
        ],
      },
    ],
  };
}

export const kpiDashboard = buildDashboard({
  uid: dashboardUids.kpis,
  title: "Fleetmark: KPIs",
  description: "The six KPIs of each host: now, over time against target and alert threshold, and across the fleet",
  variables: kpiVariables,
  from: "now-7d",
  refresh: "5m",
  shadesRuns: false,
  sections: kpis.map(section),
});
