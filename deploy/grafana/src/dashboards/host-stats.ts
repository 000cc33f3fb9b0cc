import { stat } from "../panels/panels.js";
import { colors, fillSteps, staleLateness, steps } from "../panels/thresholds.js";
import { units } from "../panels/units.js";
import { as, equals, last, max, type Select, selected } from "../queries/influxql.js";
import { querySeries } from "../queries/target.js";

/** What hosts are at now: the first row of the host dashboard. */

const where = [selected("host")];
const whereAllCores = [selected("host"), equals("cpu", "cpu-total")];

/** The highest latest value among the selected hosts. */
function highest(
  title: string,
  description: string,
  select: Select,
  unit: string,
  decimals: number,
  limits = steps(colors.plain),
) {
  const from = { ...select, groupBy: ["host"] };
  return stat({
    title,
    description: `${description} The highest among the selected hosts.`,
    queries: [querySeries("A", { fields: [as(max("value"), "value")], from })],
    unit,
    decimals,
    steps: limits,
    lastOnly: "5m",
  });
}

export const hostStats = [
  highest(
    "CPU in use",
    "Share of all cores that is not idle.",
    { fields: [as('100 - last("usage_idle")', "value")], from: "cpu", where: whereAllCores },
    units.percent,
    1,
    fillSteps,
  ),
  highest(
    "Memory in use",
    "Memory without buffers and caches.",
    { fields: [as(last("used_percent"), "value")], from: "mem", where },
    units.percent,
    1,
    fillSteps,
  ),
  highest(
    "Fullest disk",
    "Share of the space in use on the fullest file system.",
    { fields: [as(max("used_percent"), "value")], from: "disk", where },
    units.percent,
    1,
    fillSteps,
  ),
  highest(
    "Load, one minute",
    "Tasks that run or wait to.",
    { fields: [as(last("load1"), "value")], from: "system", where },
    units.count,
    2,
  ),
  highest(
    "Uptime",
    "Time since the host started.",
    { fields: [as(last("uptime"), "value")], from: "system", where },
    units.seconds,
    1,
  ),
  highest(
    "Agent's memory",
    "Resident memory of the agent's own process.",
    { fields: [as(last("rss_bytes"), "value")], from: "agent", where },
    units.bytes,
    0,
  ),
  highest(
    "Schedule",
    "Time since a scheduled suite went to its end, over the time between two of its starts: from 2 on, KPIs say how fast the host was.",
    { fields: [as(last("schedule_lateness"), "value")], from: "agent", where },
    units.count,
    1,
    steps(colors.good, [staleLateness, colors.missed]),
  ),
];
