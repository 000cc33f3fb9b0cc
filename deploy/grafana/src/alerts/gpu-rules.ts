import { gpuDashboard } from "../dashboards/gpus.js";
import { as, equals, last, max, mean, selectGrowth } from "../queries/influxql.js";
import { buildRule, label, type ProvisionedRule, value } from "./rule.js";

/** No card is better because nobody tells of it: an alert stays until something does. */
const keeping = { noDataState: "KeepLast", execErrState: "KeepLast" } as const;
/** What is counted anew when the driver is loaded anew. */
const quiet = { noDataState: "OK", execErrState: "KeepLast" } as const;

const card = `gpu${label("index")} of ${label("host")}`;
const byCard = ["host", "index"] as const;
const isTrue = { kind: "threshold", type: "gt", params: [0] } as const;

const lost = buildRule({
  uid: "fm-gpu-lost",
  title: "GPU lost",
  severity: "critical",
  summary: `${card} is lost`,
  description: `The driver of ${label("host")} can't reach the card ${label("index")} any more, or lists it no more. Nothing runs on it until the host is started anew. Look first at the kernel's log for Xid messages.`,
  runbook: "gpu-lost",
  panel: { dashboard: gpuDashboard, title: "Hosts now", follows: "host" },
  query: { fields: [as(last("lost"), "lost")], from: "nvidia_smi", groupBy: byCard },
  lookback: 900,
  condition: isTrue,
  pending: "2m",
  ...keeping,
});

const toolFailing = buildRule({
  uid: "fm-gpu-tool-failing",
  title: "GPU tool failing",
  severity: "warning",
  summary: `nvidia-smi fails on ${label("host")}`,
  description: `nvidia-smi gave no whole answer on ${label("host")} for ten minutes: nothing is known of its cards. Look first at the reason in gpu_tool_state: a driver of another version, no driver, a tool that hangs.`,
  runbook: "gpu-tool-failing",
  panel: { dashboard: gpuDashboard, title: "Answers of nvidia-smi", follows: "host" },
  query: { fields: [as(max("success"), "works")], from: "agent", where: [equals("probe", "nvidia_smi")], groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "lt", params: [1] },
  pending: "5m",
  ...keeping,
});

const memoryErrors = buildRule({
  uid: "fm-gpu-memory-errors",
  title: "GPU memory errors",
  severity: "critical",
  summary: `${card} has memory errors that can't be corrected`,
  description: `${card} had ${value} memory errors within half an hour that ECC could not correct: what ran on it may be wrong. Look first whether rows wait to be replaced, which a reset does.`,
  runbook: "gpu-memory-errors",
  panel: { dashboard: gpuDashboard, title: "Memory errors", follows: "host" },
  query: selectGrowth("nvidia_smi", "ecc_volatile_uncorrectable", "growth", { groupBy: byCard }),
  lookback: 1800,
  condition: isTrue,
  pending: "2m",
  ...quiet,
});

function memoryRepair(severity: "warning" | "critical"): ProvisionedRule {
  const isPending = severity === "warning";
  return buildRule({
    uid: `fm-gpu-memory-repair-${severity}`,
    title: isPending ? "GPU memory waits for repair" : "GPU memory beyond repair",
    severity,
    summary: isPending ? `${card} has memory to be replaced at its next reset` : `${card} has memory that can't be replaced`,
    description: isPending
      ? `${card} has rows of memory that are replaced when it is reset. Let its jobs end, and reset it.`
      : `${card} has no spare rows left for memory that failed: it is to be replaced.`,
    runbook: "gpu-memory-errors",
    panel: { dashboard: gpuDashboard, title: isPending ? "Waiting for a reset" : "Memory beyond repair", follows: "host" },
    query: {
      fields: [as(last(isPending ? "row_remap_pending" : "row_remap_failure"), "repair")],
      from: "nvidia_smi",
      groupBy: byCard,
    },
    lookback: 900,
    condition: isTrue,
    pending: "2m",
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
  title: "GPU tool slow",
  severity: "warning",
  summary: `nvidia-smi takes seconds on ${label("host")}`,
  description: `nvidia-smi took ${value} s on ${label("host")} in the mean of half an hour. Persistence mode is off there, most likely: each question loads the driver anew, and each job waits for it too.`,
  runbook: "gpu-tool-failing",
  panel: { dashboard: gpuDashboard, title: "Answers of nvidia-smi", follows: "host" },
  query: { fields: [as(mean("seconds"), "seconds")], from: "gpu_tool_state", groupBy: ["host"] },
  lookback: 1800,
  condition: { kind: "threshold", type: "gt", params: [2] },
  pending: "5m",
  ...keeping,
});

/** What cards and their driver may come to. A host without any has no such series, and no such alert. */
export const gpuRules: readonly ProvisionedRule[] = [
  lost,
  toolFailing,
  slowTool,
  memoryErrors,
  memoryRepair("warning"),
  memoryRepair("critical"),
  slowed,
  narrowPcie,
];
