import { describeKpiAlert } from "@fleetmark/shared/alerting/catalogue";
import { type Kpi, kpis } from "@fleetmark/shared/model/kpis";
import { kpiDashboard, trendTitle } from "../dashboards/kpis.js";
import { longestFreshnessS, selectFresh } from "../queries/kpi-queries.js";
import { buildRule, type Condition, formatPending, label, type ProvisionedRule, value } from "./rule.js";

/** Past the alert threshold; a value on it is not past it, as judgeKpi has it. */
function isCritical(kpi: Kpi): Condition {
  return { kind: "threshold", type: kpi.better === "lower" ? "gt" : "lt", params: [kpi.alert] };
}

/**
 * Past the target, or on it. A warning goes on past the alert threshold too, beside the critical alert: if it ended
 * there, what got worse would read as resolved.
 */
function isWarning(kpi: Kpi): Condition {
  return { kind: "math", expression: `$B ${kpi.better === "lower" ? ">=" : "<="} ${kpi.target}` };
}

function buildKpiRule(kpi: Kpi, severity: "warning" | "critical"): ProvisionedRule {
  const { title, runbook, forS } = describeKpiAlert(kpi, severity);
  const limit = severity === "critical" ? kpi.alert : kpi.target;
  const side = kpi.better === "lower" ? "over" : "under";
  return buildRule({
    uid: `fm-${runbook}-${severity}`,
    title,
    severity,
    labels: { kpi: kpi.id },
    summary: `${title} on ${label("host")}`,
    description: `${kpi.title} on ${label("host")} (${label("benchmark")}) is ${value} ${kpi.unit}, ${side} ${limit} ${kpi.unit}. ${kpi.description}. Look first whether other hosts of the same hardware class changed too.`,
    runbook,
    panel: { dashboard: kpiDashboard, title: trendTitle(kpi), follows: "host" },
    // A suite that runs weekly keeps its alerts until the next run judges anew.
    query: selectFresh(kpi, "value", ["host", "benchmark"]),
    lookback: longestFreshnessS,
    condition: severity === "critical" ? isCritical(kpi) : isWarning(kpi),
    pending: formatPending(forS),
    // A host without results has nothing to judge; one that is silent is told by the rule for agents, once.
    noDataState: "OK",
    // A datasource that does not answer is told by the rule for the fleet, once.
    execErrState: "KeepLast",
  });
}

export const kpiRules: readonly ProvisionedRule[] = kpis.flatMap((kpi) => [
  buildKpiRule(kpi, "warning"),
  buildKpiRule(kpi, "critical"),
]);
