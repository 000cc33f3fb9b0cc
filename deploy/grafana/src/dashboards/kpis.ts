import { type Kpi, kpis } from "@fleetmark/shared/model/kpis";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard, type Section } from "../panels/layout.js";
import {
  drawAsLimit,
  freshnessColumn,
  histogram,
  joinBy,
  linkColumn,
  table,
  timeseries,
  withoutColumns,
} from "../panels/panels.js";
import { colors, kpiSteps } from "../panels/thresholds.js";
import { kpiUnit, units } from "../panels/units.js";
import { absoluteAxis, relativeAxis, selectAbsoluteChange, selectRelativeChange } from "../queries/change.js";
import { as, divideBy, last, max, min, type Select } from "../queries/influxql.js";
import { kpiConditions, kpiVariables, selectCurrent, selectLateness, speaker } from "../queries/kpi-queries.js";
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
  const { unit, decimals, divisor, logarithmic } = kpiUnit(kpi);
  const builder = timeseries({
    title: trendTitle(kpi),
    description: `${kpi.description}, of each host. ${sayGoal(kpi)} In steps of an hour or more; the dashed lines are the target and the alert threshold.`,
    queries: [
      querySeries(
        "A",
        {
          fields: [as(divideBy(speaking("value"), divisor), "value")],
          from: "kpi",
          where,
          groupBy: ["host"],
          every: "$__interval",
          fill: "none",
        },
        "$tag_host",
      ),
      querySeries(
        "B",
        {
          fields: [as(divideBy(last("target"), divisor), "target"), as(divideBy(last("alert"), divisor), "alert")],
          from: "kpi",
          where,
          every: "$__interval",
          fill: "none",
        },
        "$col",
      ),
    ],
    unit,
    decimals,
    logarithmic,
    steps: kpiSteps(kpi),
    sparse: true,
    // A run's results end one after the other: a narrow bucket might hold those of a slow runtime alone, and take it
    // for the host's best.
  }).interval("1h");
  drawAsLimit(builder, "target", colors.missed);
  return drawAsLimit(builder, "alert", colors.bad);
}

/** How far each host has moved since the begin of the time shown, however far from the target it is. */
function change(kpi: Kpi) {
  const isShare = kpi.unit === "%";
  const speaking = speaker(kpi) === "max" ? max : min;
  const series: Select = {
    fields: [as(speaking("value"), "v")],
    from: "kpi",
    where: kpiConditions(kpi),
    groupBy: ["host"],
    every: "$__interval",
    fill: "none",
  };
  return timeseries({
    title: `${kpi.title}: change`,
    description: `${isShare ? "Percentage points" : "Percent"} by which each host differs from its own first value in the time shown. Shows a step that the trend's axis hides; what is beyond this one's stands in the legend.`,
    queries: [querySeries("A", isShare ? selectAbsoluteChange(series) : selectRelativeChange(series), "$tag_host")],
    unit: units.percent,
    decimals: 1,
    ...(isShare ? absoluteAxis : relativeAxis),
    sparse: true,
  }).interval("1h");
}

function currentPerHost(kpi: Kpi) {
  const { unit, decimals, divisor } = kpiUnit(kpi);
  const builder = table({
    title: `${kpi.title}: now, per host`,
    description: `Latest value of each host, the worst first. ${sayGoal(kpi)} A click on a host opens its dashboard.`,
    queries: [
      queryTable("A", selectCurrent(kpi, "value", ["host"], kpiConditions(kpi), divisor)),
      queryTable("L", selectLateness("state")),
    ],
    unit,
    decimals,
    steps: kpiSteps(kpi),
    sortBy: "value",
    descending: kpi.better === "lower",
    transformations: [withoutColumns("^Time$"), joinBy("host")],
  });
  builder.overrideByName("value", [{ id: "custom.cellOptions", value: { type: "color-text" } }]);
  freshnessColumn(builder, "state");
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

function distribution(kpi: Kpi) {
  const { unit, decimals, divisor } = kpiUnit(kpi);
  return histogram(
    {
      title: `${kpi.title}: distribution`,
      description: `How many hosts have which latest value. Hosts of one hardware class should lie together: one that stands apart deserves a look. ${sayGoal(kpi)}`,
      queries: [querySeries("A", selectCurrent(kpi, "value", ["host"], kpiConditions(kpi), divisor), "$tag_host")],
      unit,
      decimals,
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
          [5, currentPerHost(kpi)],
          [7, trend(kpi)],
          [7, change(kpi)],
          [5, distribution(kpi)],
        ],
      },
    ],
  };
}

export const kpiDashboard = buildDashboard({
  uid: dashboardUids.kpis,
  title: "Fleetmark: KPIs",
  description:
    "The six KPIs of each host: now, over time against target and alert threshold, against its own beginning, and across the fleet",
  variables: kpiVariables,
  from: "now-7d",
  refresh: "5m",
  shadesRuns: false,
  sections: kpis.map(section),
});
