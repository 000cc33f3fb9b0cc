import { type AlertKey, alertCatalogue } from "@fleetmark/shared/alerting/catalogue";
import { fleetDashboard } from "../dashboards/fleet.js";
import { hostDashboard } from "../dashboards/host.js";
import { pipelineDashboard } from "../dashboards/pipeline.js";
import { staleLateness } from "../panels/thresholds.js";
import { as, last, median, min, selectGrowth } from "../queries/influxql.js";
import { buildRule, type ProvisionedRule, type RuleFacts, tell } from "./rule.js";
import { forgottenAfter, selectReporting, selectShareOfAtLeast, selectShareReporting } from "./silence.js";

/**
 * Only the rule for the fleet speaks up when there are no data or the datasource does not answer; the others keep still
 * then, so that one cause is one alert.
 */
const quiet = { noDataState: "OK", execErrState: "KeepLast" } as const;

/**
 * Without data the rule keeps the alerts that it has: a disk is no emptier and a host no healthier because nobody
 * reports it. Not for counters by reason, which an agent that began anew no longer has: their alerts would never end.
 */
const keeping = { noDataState: "KeepLast", execErrState: "KeepLast" } as const;

/** Below this share of agents that report, the fleet is silent rather than some of its hosts. */
const leastShare = 0.5;

/** Fires when a counter has grown within the lookback. */
function hasGrown(
  measurement: "agent" | "collector",
  counter: string,
  groupBy: readonly string[],
  lookback: number,
): Pick<RuleFacts, "query" | "lookback" | "condition"> {
  return {
    query: selectGrowth(measurement, counter, "growth", { groupBy }),
    lookback,
    condition: { kind: "threshold", type: "gt", params: [0] },
  };
}

const fleetSilent = buildRule({
  uid: "fm-fleet-silent",
  ...tell("fleet_silent"),
  summary: "Most of the fleet is silent, or Grafana can't ask the database",
  description:
    "Less than half of the agents that were heard of within a day have written anything within the last ninety seconds, or Grafana got no answer from the database. One cause is likely: look first at the collectors, then at the database and Grafana's way to it, then at the network. Agents keep what they measure meanwhile.",
  panel: { dashboard: fleetDashboard, title: "Last heard of" },
  query: selectShareReporting("agent"),
  lookback: forgottenAfter,
  condition: { kind: "threshold", type: "lt", params: [alertCatalogue.fleet_silent.threshold] },
  noDataState: "Alerting",
  execErrState: "Alerting",
});

const agentDown = buildRule({
  uid: "fm-agent-down",
  ...tell("agent_down"),
  panel: { dashboard: fleetDashboard, title: "Last heard of", follows: "host" },
  query: selectReporting("agent"),
  lookback: forgottenAfter,
  whileThereIs: { query: selectShareOfAtLeast("agent", leastShare), lookback: forgottenAfter },
  condition: { kind: "math", expression: "$B < 0.5 && $E > 0" },
  ...keeping,
});

const collectorDown = buildRule({
  uid: "fm-collector-down",
  ...tell("collector_down"),
  panel: { dashboard: pipelineDashboard, title: "Samples committed", follows: "collector" },
  query: selectReporting("collector"),
  lookback: forgottenAfter,
  // While no collector writes, the fleet is silent too, and its alert says so.
  whileThereIs: { query: selectShareOfAtLeast("collector", 0.01), lookback: forgottenAfter },
  condition: { kind: "math", expression: "$B < 0.5 && $E > 0" },
  ...keeping,
});

const clockOffset = buildRule({
  uid: "fm-clock-offset",
  ...tell("clock_offset"),
  panel: { dashboard: pipelineDashboard, title: "Clock offset", follows: "host" },
  query: { fields: [as(median("clock_offset_ms"), "offset")], from: "agent", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "outside_range", params: [-1000, 1000] },
  ...keeping,
});

const samplesDropped = buildRule({
  uid: "fm-samples-dropped",
  ...tell("samples_dropped"),
  panel: { dashboard: pipelineDashboard, title: "Dropped and refused samples", follows: "host" },
  ...hasGrown("agent", "samples_dropped", ["host", "reason"], 1800),
  ...quiet,
});

const samplesRefused = buildRule({
  uid: "fm-samples-refused",
  ...tell("samples_refused"),
  panel: { dashboard: pipelineDashboard, title: "Dropped and refused samples", follows: "host" },
  ...hasGrown("agent", "samples_refused", ["host", "reason"], 1800),
  ...quiet,
});

function spoolFilling(key: "spool_filling" | "spool_nearly_full"): ProvisionedRule {
  const { severity, threshold } = alertCatalogue[key];
  return buildRule({
    uid: `fm-spool-filling-${severity}`,
    ...tell(key),
    panel: { dashboard: pipelineDashboard, title: "Spool in use", follows: "host" },
    query: {
      fields: [as(`${last("spool_bytes")} / ${last("spool_limit_bytes")} * 100`, "spool")],
      from: "agent",
      groupBy: ["host"],
    },
    lookback: 600,
    condition: { kind: "threshold", type: "gt", params: [threshold] },
    ...keeping,
  });
}

const quarantineGrowing = buildRule({
  uid: "fm-quarantine-growing",
  ...tell("quarantine_growing"),
  panel: { dashboard: pipelineDashboard, title: "Quarantine", follows: "collector" },
  ...hasGrown("collector", "quarantine_bytes", ["host"], 3600),
  ...quiet,
});

const storeDamaged = buildRule({
  uid: "fm-store-damaged",
  ...tell("store_damaged"),
  panel: { dashboard: pipelineDashboard, title: "Damaged rows", follows: "collector" },
  ...hasGrown("collector", "store_damaged_rows", ["host"], 86_400),
  ...quiet,
});

const clockDisputed = buildRule({
  uid: "fm-clock-disputed",
  ...tell("clock_disputed"),
  panel: { dashboard: pipelineDashboard, title: "Clock and roll-up", follows: "collector" },
  query: { fields: [as(last("clock_disputed"), "disputed")], from: "collector", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [0.5] },
  ...keeping,
});

function certificateEnding(measurement: "agent" | "collector", key: AlertKey): ProvisionedRule {
  const { severity, threshold } = alertCatalogue[key];
  return buildRule({
    uid: `fm-${measurement}-certificate-${severity}`,
    ...tell(key),
    panel: {
      dashboard: pipelineDashboard,
      title: measurement === "agent" ? "Agents' certificates" : "Certificates",
      follows: measurement === "agent" ? "host" : "collector",
    },
    query: { fields: [as(last("certificate_days"), "days")], from: measurement, groupBy: ["host"] },
    lookback: 600,
    condition: { kind: "threshold", type: "lt", params: [threshold] },
    ...keeping,
  });
}

/** The agent itself says how late it is: InfluxQL does not compare a time with now. */
const scheduleOverdue = buildRule({
  uid: "fm-schedule-overdue",
  ...tell("schedule_overdue"),
  panel: { dashboard: hostDashboard, title: "Schedule", follows: "host" },
  query: { fields: [as(last("schedule_lateness"), "lateness")], from: "agent", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [staleLateness] },
  ...keeping,
});

const hostNameTaken = buildRule({
  uid: "fm-host-name-taken",
  ...tell("host_name_taken"),
  panel: { dashboard: pipelineDashboard, title: "Names refused", follows: "collector" },
  ...hasGrown("collector", "host_name_conflicts", ["host"], 600),
  ...quiet,
});

const retentionHeld = buildRule({
  uid: "fm-retention-held",
  ...tell("retention_held"),
  panel: { dashboard: pipelineDashboard, title: "Clock and roll-up", follows: "collector" },
  query: { fields: [as(last("retention_held"), "held")], from: "collector", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [0.5] },
  ...keeping,
});

const spoolUnreadable = buildRule({
  uid: "fm-spool-unreadable",
  ...tell("spool_unreadable"),
  panel: { dashboard: pipelineDashboard, title: "Spool entries unreadable", follows: "host" },
  ...hasGrown("agent", "batches_quarantined", ["host", "reason"], 3600),
  ...quiet,
});

const storeFailing = buildRule({
  uid: "fm-store-failing",
  ...tell("store_failing"),
  panel: { dashboard: pipelineDashboard, title: "Store failures", follows: "collector" },
  ...hasGrown("collector", "store_failures", ["host"], 600),
  ...quiet,
});

function diskFull(key: "disk_filling" | "disk_nearly_full"): ProvisionedRule {
  const { severity, threshold } = alertCatalogue[key];
  return buildRule({
    uid: `fm-disk-full-${severity}`,
    ...tell(key),
    panel: { dashboard: hostDashboard, title: "Disk space in use", follows: "host" },
    query: { fields: [as(min("used_percent"), "used")], from: "disk", groupBy: ["host", "path"] },
    lookback: 600,
    condition: { kind: "threshold", type: "gt", params: [threshold] },
    ...keeping,
  });
}

export const fleetRules: readonly ProvisionedRule[] = [
  fleetSilent,
  agentDown,
  collectorDown,
  storeFailing,
  storeDamaged,
  clockDisputed,
  retentionHeld,
  hostNameTaken,
  scheduleOverdue,
  certificateEnding("collector", "collector_certificate_ending"),
  certificateEnding("collector", "collector_certificate_at_end"),
  certificateEnding("agent", "agent_certificate_ending"),
  certificateEnding("agent", "agent_certificate_at_end"),
  clockOffset,
  samplesDropped,
  samplesRefused,
  spoolFilling("spool_filling"),
  spoolFilling("spool_nearly_full"),
  quarantineGrowing,
  spoolUnreadable,
  diskFull("disk_filling"),
  diskFull("disk_nearly_full"),
];
