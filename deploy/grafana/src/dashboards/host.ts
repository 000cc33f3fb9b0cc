import { kpis } from "@fleetmark/shared/model/kpis";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard } from "../panels/layout.js";
import { statusHistory, timeseries } from "../panels/panels.js";
import { fillSteps, severitySteps } from "../panels/thresholds.js";
import { units } from "../panels/units.js";
import { as, equals, max, mean, perSecond, type Select, selected } from "../queries/influxql.js";
import { selectSeverities } from "../queries/kpi-queries.js";
import { querySeries } from "../queries/target.js";
import { hostStats } from "./host-stats.js";

const where = [selected("host")];
const whereAllCores = [selected("host"), equals("cpu", "cpu-total")];
const overTime = { every: "$__interval", fill: "null" } as const;

const cpuPerHost = timeseries({
  title: "CPU in use",
  description: "Share of all cores that is not idle, per host. Benchmark runs are shaded.",
  queries: [
    querySeries(
      "A",
      { fields: [as('100 - mean("usage_idle")', "used")], from: "cpu", where: whereAllCores, groupBy: ["host"], ...overTime },
      "$tag_host",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
  max: 100,
});

const cpuModes = timeseries({
  title: "CPU by kind",
  description:
    "What the cores do, as a share of all of them; the mean over the selected hosts. Steal is time that another virtual machine took.",
  queries: [
    querySeries(
      "A",
      {
        fields: ["user", "system", "nice", "iowait", "irq", "softirq", "steal"].map((kind) => as(mean(`usage_${kind}`), kind)),
        from: "cpu",
        where: whereAllCores,
        ...overTime,
      },
      "$col",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
  stacked: true,
});

const load = timeseries({
  title: "Load",
  description: "Tasks that run or wait to, averaged over one minute, per host; more than it has cores means waiting.",
  queries: [
    querySeries("A", { fields: [as(mean("load1"), "load")], from: "system", where, groupBy: ["host"], ...overTime }, "$tag_host"),
  ],
  unit: units.count,
  decimals: 2,
  min: 0,
});

const pressure = timeseries({
  title: "Pressure",
  description:
    "Share of the last ten seconds in which some task waited for CPU, memory or input and output (the kernel's pressure stall information), per host.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(mean("avg10"), "waiting")],
        from: "pressure",
        where: [...where, equals("type", "some")],
        groupBy: ["host", "resource"],
        ...overTime,
      },
      "$tag_host $tag_resource",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
});

const memoryUsed = timeseries({
  title: "Memory in use",
  description: "Memory without buffers and caches, per host.",
  queries: [
    querySeries(
      "A",
      { fields: [as(mean("used_percent"), "used")], from: "mem", where, groupBy: ["host"], ...overTime },
      "$tag_host",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
  max: 100,
});

const swap = timeseries({
  title: "Swap in use",
  description: "Memory that the kernel has put on disk, per host. A host that swaps measures its disk, not its work.",
  queries: [
    querySeries(
      "A",
      { fields: [as('mean("swap_total") - mean("swap_free")', "swap")], from: "mem", where, groupBy: ["host"], ...overTime },
      "$tag_host",
    ),
  ],
  unit: units.bytes,
  decimals: 1,
  min: 0,
});

const diskUsed = timeseries({
  title: "Disk space in use",
  description: "Share of the space in use, per host and file system.",
  queries: [
    querySeries(
      "A",
      { fields: [as(mean("used_percent"), "used")], from: "disk", where, groupBy: ["host", "path"], ...overTime },
      "$tag_host $tag_path",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
  max: 100,
  steps: fillSteps,
});

/**
 * Rates of counters, of each device by itself: InfluxDB takes seconds to add up the rates of several devices and
 * fields.
 */
function ratesOf(measurement: string, deviceTag: string, counters: Readonly<Record<string, string>>): Select {
  const fields = Object.entries(counters).map(([name, counter]) => as(perSecond(mean(counter)), name));
  return { fields, from: measurement, where, groupBy: ["host", deviceTag], ...overTime };
}

const diskBytes = timeseries({
  title: "Disk read and written",
  description: "Bytes per second, per host and disk.",
  queries: [
    querySeries("A", ratesOf("diskio", "name", { read: "read_bytes", written: "write_bytes" }), "$tag_host $tag_name $col"),
  ],
  unit: units.bytesPerSecond,
  decimals: 1,
  min: 0,
});

const diskBusy = timeseries({
  title: "Disk busy",
  description: "Share of the time in which a disk had something to do, per host and disk.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(`${perSecond(mean("io_time"))} / 10`, "busy")],
        from: "diskio",
        where,
        groupBy: ["host", "name"],
        ...overTime,
      },
      "$tag_host $tag_name",
    ),
  ],
  unit: units.percent,
  decimals: 1,
  min: 0,
});

const netBytes = timeseries({
  title: "Network received and sent",
  description: "Bytes per second, per host and interface, without loopback.",
  queries: [
    querySeries(
      "A",
      ratesOf("net", "interface", { received: "bytes_recv", sent: "bytes_sent" }),
      "$tag_host $tag_interface $col",
    ),
  ],
  unit: units.bytesPerSecond,
  decimals: 1,
  min: 0,
});

const netErrors = timeseries({
  title: "Network errors and drops",
  description: "Packets per second that were faulty or dropped, received and sent, per host and interface.",
  queries: [
    querySeries(
      "A",
      ratesOf("net", "interface", { errors_in: "err_in", errors_out: "err_out", drops_in: "drop_in", drops_out: "drop_out" }),
      "$tag_host $tag_interface $col",
    ),
  ],
  unit: units.packetsPerSecond,
  decimals: 2,
  min: 0,
});

function kpiHistory() {
  const builder = statusHistory({
    title: "KPIs",
    description:
      "Severity of each KPI on the selected hosts: green on the good side of its target, yellow past the target, red past the alert threshold.",
    queries: [
      querySeries(
        "A",
        {
          fields: [as(max("severity"), "severity")],
          from: selectSeverities(where, "$__interval"),
          groupBy: ["host", "kpi"],
          every: "$__interval",
          // Empty steps too: of a single time Grafana draws nothing.
          fill: "null",
        },
        "$tag_host $tag_kpi",
      ),
    ],
    unit: units.count,
    decimals: 2,
    steps: severitySteps,
  })
    .interval("1h")
    .maxDataPoints(56);
  // By title: the ids that the series are named by would be cut off.
  for (const { id, title } of kpis)
    builder.overrideByRegexp(`/ ${id}$/`, [{ id: "displayName", value: `\${__field.labels.host} ${title}` }]);
  return builder;
}

export const hostDashboard = buildDashboard({
  uid: dashboardUids.host,
  title: "Fleetmark: host",
  description: "What hosts do, with benchmark runs shaded: whether a slow result has its reason beside it",
  variables: ["host"],
  opensWith: { host: "first" },
  from: "now-6h",
  refresh: "30s",
  shadesRuns: true,
  sections: [
    { title: "Now", shelves: [{ height: 4, panels: hostStats.map((panel, i) => [i < 3 ? 4 : 3, panel] as const) }] },
    { title: "KPIs", shelves: [{ height: 7, panels: [[24, kpiHistory()]] }] },
    {
      title: "CPU",
      shelves: [
        {
          height: 8,
          panels: [
            [12, cpuPerHost],
            [12, cpuModes],
          ],
        },
        {
          height: 8,
          panels: [
            [12, load],
            [12, pressure],
          ],
        },
      ],
    },
    {
      title: "Memory",
      shelves: [
        {
          height: 8,
          panels: [
            [12, memoryUsed],
            [12, swap],
          ],
        },
      ],
    },
    {
      title: "Disk",
      shelves: [
        {
          height: 8,
          panels: [
            [8, diskUsed],
            [8, diskBytes],
            [8, diskBusy],
          ],
        },
      ],
    },
    {
      title: "Network",
      shelves: [
        {
          height: 8,
          panels: [
            [12, netBytes],
            [12, netErrors],
          ],
        },
      ],
    },
  ],
});
