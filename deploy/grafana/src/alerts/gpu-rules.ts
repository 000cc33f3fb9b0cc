import { alertCatalogue } from "@fleetmark/shared/alerting/catalogue";
import { gpuDashboard } from "../dashboards/gpus.js";
import { as, equals, last, max, mean, selectGrowth } from "../queries/influxql.js";
import { buildRule, label, type ProvisionedRule, tell, value } from "./rule.js";

/** No card is better because nobody tells of it: an alert stays until something does. */
const keeping = { noDataState: "KeepLast", execErrState: "KeepLast" } as const;
/** What is counted anew when the driver is loaded anew. */
const quiet = { noDataState: "OK", execErrState: "KeepLast" } as const;

const card = `gpu${label("index")} of ${label("host")}`;
const byCard = ["host", "index"] as const;
const isTrue = { kind: "threshold", type: "gt", params: [0] } as const;

const lost = buildRule({
  uid: "fm-gpu-lost",
  ...tell("gpu_lost"),
  panel: { dashboard: gpuDashboard, title: "Hosts now", follows: "host" },
  query: { fields: [as(last("lost"), "lost")], from: "nvidia_smi", groupBy: byCard },
  lookback: 900,
  condition: isTrue,
  ...keeping,
});

const toolFailing = buildRule({
  uid: "fm-gpu-tool-failing",
  ...tell("gpu_tool_failing"),
  panel: { dashboard: gpuDashboard, title: "Answers of nvidia-smi", follows: "host" },
  query: { fields: [as(max("success"), "works")], from: "agent", where: [equals("probe", "nvidia_smi")], groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "lt", params: [1] },
  ...keeping,
});

const memoryErrors = buildRule({
  uid: "fm-gpu-memory-errors",
  ...tell("gpu_memory_errors"),
  panel: { dashboard: gpuDashboard, title: "Memory errors", follows: "host" },
  query: selectGrowth("nvidia_smi", "ecc_volatile_uncorrectable", "growth", { groupBy: byCard }),
  lookback: 1800,
  condition: isTrue,
  ...quiet,
});

function memoryRepair(key: "gpu_memory_waits" | "gpu_memory_beyond_repair"): ProvisionedRule {
  const { severity } = alertCatalogue[key];
  const isPending = key === "gpu_memory_waits";
  return buildRule({
    uid: `fm-gpu-memory-repair-${severity}`,
    ...tell(key),
    panel: { dashboard: gpuDashboard, title: isPending ? "Waiting for a reset" : "Memory beyond repair", follows: "host" },
    query: {
      fields: [as(last(isPending ? "row_remap_pending" : "row_remap_failure"), "repair")],
      from: "nvidia_smi",
      groupBy: byCard,
    },
    lookback: 900,
    condition: isTrue,
    ...keeping,
  });
}

const slowed = buildRule({
  uid: "fm-gpu-slowed",
  title: "GPU slowed down",
  severity: "warning",
  summary: `${card} is slowed down for heat or by its power supply`,
  description: `${card} was found slowed down in ${value} % of the looks of a quarter of an hour, for its temperature or by its power supply (not by its power cap). Look first at its fans and the air that it gets.`,
  runbook: "gpu-slowed",
  panel: { dashboard: gpuDashboard, title: "Held back, when looked at", follows: "host" },
  query: {
    fields: [as('(mean("event_reason_hw_slowdown") + mean("event_reason_sw_thermal_slowdown")) * 100', "slowed")],
    from: "nvidia_smi",
    groupBy: byCard,
  },
  lookback: 900,
  condition: { kind: "threshold", type: "gt", params: [20] },
  pending: "5m",
  ...keeping,
});

const narrowPcie = buildRule({
  uid: "fm-gpu-pcie-narrow",
  title: "GPU on fewer PCIe lanes",
  severity: "warning",
  summary: `${card} uses fewer PCIe lanes than it has`,
  description: `${card} has used ${value} of its PCIe lanes for ten minutes of work: copies from and to it are so much slower. Look first whether it sits firmly in its slot.`,
  runbook: "gpu-pcie-narrow",
  panel: { dashboard: gpuDashboard, title: "PCIe lanes and generation", follows: "host" },
  query: {
    fields: [as('max("pcie_link_width_current") / max("pcie_link_width_max")', "lanes")],
    from: "nvidia_smi",
    // At idle a card may save lanes.
    where: ['"utilization_gpu" > 10'],
    groupBy: byCard,
  },
  lookback: 600,
  condition: { kind: "threshold", type: "lt", params: [1] },
  pending: "5m",
  ...keeping,
});

const slowTool = buildRule({
  uid: "fm-gpu-tool-slow",
  ...tell("gpu_tool_slow"),
  panel: { dashboard: gpuDashboard, title: "Answers of nvidia-smi", follows: "host" },
  query: { fields: [as(mean("seconds"), "seconds")], from: "gpu_tool_state", groupBy: ["host"] },
  lookback: 1800,
  condition: { kind: "threshold", type: "gt", params: [2] },
  ...keeping,
});

/** What cards and their driver may come to. A host without any has no such series, and no such alert. */
export const gpuRules: readonly ProvisionedRule[] = [
  lost,
  toolFailing,
  slowTool,
  memoryErrors,
  memoryRepair("gpu_memory_waits"),
  memoryRepair("gpu_memory_beyond_repair"),
  slowed,
  narrowPcie,
];
