import { fleetDashboard } from "../dashboards/fleet.js";
import { hostDashboard } from "../dashboards/host.js";
import { pipelineDashboard } from "../dashboards/pipeline.js";
import { staleLateness } from "../panels/thresholds.js";
import { as, last, median, min, selectGrowth } from "../queries/influxql.js";
import { buildRule, label, type ProvisionedRule, type RuleFacts, value } from "./rule.js";
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

/**
 * The least time that a condition holds before anybody hears of it. A Grafana that starts for the first time sends to
 * its own default contact for a minute, until it has read ours; what needs no longer would go there.
 */
const shortest = "2m";

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
  title: "Fleet silent",
  severity: "critical",
  summary: "Most of the fleet is silent, or Grafana can't ask the database",
  description:
    "Less than half of the agents that were heard of within a day have written anything within the last ninety seconds, or Grafana got no answer from the database. One cause is likely: look first at the collectors, then at the database and Grafana's way to it, then at the network. Agents keep what they measure meanwhile.",
  runbook: "fleet-silent",
  panel: { dashboard: fleetDashboard, title: "Last heard of" },
  query: selectShareReporting("agent"),
  lookback: forgottenAfter,
  condition: { kind: "threshold", type: "lt", params: [leastShare] },
  pending: shortest,
  noDataState: "Alerting",
  execErrState: "Alerting",
});

const agentDown = buildRule({
  uid: "fm-agent-down",
  title: "Agent down",
  severity: "critical",
  summary: `No word from ${label("host")}`,
  description: `The agent of ${label("host")} has sent nothing for at least three minutes, while most others do. Its other alerts end meanwhile. Look first whether the host itself is up.`,
  runbook: "agent-down",
  panel: { dashboard: fleetDashboard, title: "Last heard of", follows: "host" },
  query: selectReporting("agent"),
  lookback: forgottenAfter,
  whileThereIs: { query: selectShareOfAtLeast("agent", leastShare), lookback: forgottenAfter },
  condition: { kind: "math", expression: "$B < 0.5 && $E > 0" },
  // Longer than agents take to come back one after the other when the whole fleet had been cut off.
  pending: shortest,
  ...keeping,
});

const collectorDown = buildRule({
  uid: "fm-collector-down",
  title: "Collector down",
  severity: "critical",
  summary: `No word from the collector ${label("host")}`,
  description: `The collector ${label("host")} has written nothing of itself for at least three minutes, while another does. Agents keep what they measure until they reach one.`,
  runbook: "collector-down",
  panel: { dashboard: pipelineDashboard, title: "Samples committed", follows: "collector" },
  query: selectReporting("collector"),
  lookback: forgottenAfter,
  // While no collector writes, the fleet is silent too, and its alert says so.
  whileThereIs: { query: selectShareOfAtLeast("collector", 0.01), lookback: forgottenAfter },
  condition: { kind: "math", expression: "$B < 0.5 && $E > 0" },
  pending: shortest,
  ...keeping,
});

const clockOffset = buildRule({
  uid: "fm-clock-offset",
  title: "Clock offset",
  severity: "warning",
  summary: `The clock of ${label("host")} is off`,
  description: `The clock of ${label("host")} is ${value} ms from its collector's. Samples are stamped by it, and those too far off are refused. Look first whether time synchronisation runs there.`,
  runbook: "clock-offset",
  panel: { dashboard: pipelineDashboard, title: "Clock offset", follows: "host" },
  query: { fields: [as(median("clock_offset_ms"), "offset")], from: "agent", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "outside_range", params: [-1000, 1000] },
  pending: "5m",
  ...keeping,
});

const samplesDropped = buildRule({
  uid: "fm-samples-dropped",
  title: "Samples dropped",
  severity: "critical",
  summary: `${label("host")} drops samples (${label("reason")})`,
  description: `The agent of ${label("host")} dropped ${value} samples within half an hour, for the reason ${label("reason")}: they are lost. Look first at how full its spool is.`,
  runbook: "samples-dropped",
  panel: { dashboard: pipelineDashboard, title: "Dropped and refused samples", follows: "host" },
  ...hasGrown("agent", "samples_dropped", ["host", "reason"], 1800),
  pending: shortest,
  ...quiet,
});

const samplesRefused = buildRule({
  uid: "fm-samples-refused",
  title: "Samples refused",
  severity: "warning",
  summary: `Samples of ${label("host")} are refused (${label("reason")})`,
  description: `The collector refused ${value} samples of ${label("host")} within half an hour, for the reason ${label("reason")}. Look first at the clock of the host.`,
  runbook: "samples-refused",
  panel: { dashboard: pipelineDashboard, title: "Dropped and refused samples", follows: "host" },
  ...hasGrown("agent", "samples_refused", ["host", "reason"], 1800),
  pending: shortest,
  ...quiet,
});

function spoolFilling(severity: "warning" | "critical", percent: number, pending: string): ProvisionedRule {
  return buildRule({
    uid: `fm-spool-filling-${severity}`,
    title: severity === "critical" ? "Spool nearly full" : "Spool filling",
    severity,
    summary: `The spool of ${label("host")} is filling`,
    description: `The spool of ${label("host")} is at ${value} % of its bound, over ${percent} %. At the bound the oldest telemetry is dropped. Look first whether the collector and its store work.`,
    runbook: "spool-filling",
    panel: { dashboard: pipelineDashboard, title: "Spool in use", follows: "host" },
    query: {
      fields: [as(`${last("spool_bytes")} / ${last("spool_limit_bytes")} * 100`, "spool")],
      from: "agent",
      groupBy: ["host"],
    },
    lookback: 600,
    // A warning goes on while there is a critical alert: one that ended would read as if it had got better.
    condition: { kind: "threshold", type: "gt", params: [percent] },
    pending,
    ...keeping,
  });
}

const quarantineGrowing = buildRule({
  uid: "fm-quarantine-growing",
  title: "Quarantine growing",
  severity: "warning",
  summary: `The quarantine of the collector ${label("host")} grows`,
  description: `The collector ${label("host")} put ${value} bytes into quarantine within an hour: batches or lines that can never be stored. Look first at its log for why.`,
  runbook: "quarantine-growing",
  panel: { dashboard: pipelineDashboard, title: "Quarantine", follows: "collector" },
  ...hasGrown("collector", "quarantine_bytes", ["host"], 3600),
  pending: shortest,
  ...quiet,
});

const storeDamaged = buildRule({
  uid: "fm-store-damaged",
  title: "Store damaged",
  severity: "critical",
  summary: `Rows of the collector ${label("host")} can't be read`,
  description: `${value} more rows of the data file of the collector ${label("host")} could not be read within a day, and are missing. All else goes on. Look first at the disk.`,
  runbook: "store-damaged",
  panel: { dashboard: pipelineDashboard, title: "Damaged rows", follows: "collector" },
  ...hasGrown("collector", "store_damaged_rows", ["host"], 86_400),
  pending: shortest,
  ...quiet,
});

const clockDisputed = buildRule({
  uid: "fm-clock-disputed",
  title: "Collector's clock disputed",
  severity: "critical",
  summary: `Most hosts contradict the clock of the collector ${label("host")}`,
  description: `The clock of the collector ${label("host")} is over a minute off those of most hosts. Agents keep what would be refused for its time, until their spools are full, and nothing is rolled up. Look first at the collector's time synchronisation.`,
  runbook: "clock-disputed",
  panel: { dashboard: pipelineDashboard, title: "Clock and roll-up", follows: "collector" },
  query: { fields: [as(last("clock_disputed"), "disputed")], from: "collector", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [0.5] },
  pending: "2m",
  ...keeping,
});

function certificateEnding(measurement: "agent" | "collector", severity: "warning" | "critical", days: number): ProvisionedRule {
  const whose = measurement === "agent" ? "agent of" : "collector";
  return buildRule({
    uid: `fm-${measurement}-certificate-${severity}`,
    title: severity === "critical" ? `Certificate of ${measurement} at its end` : `Certificate of ${measurement} ending`,
    severity,
    summary: `A certificate of the ${whose} ${label("host")} ends soon`,
    description: `A certificate of the ${whose} ${label("host")} ends in ${value} days, under ${days}. Once it has, agents keep what they measure until it is renewed. Look first at what renews it.`,
    runbook: "certificate-ending",
    panel: {
      dashboard: pipelineDashboard,
      title: measurement === "agent" ? "Agents' certificates" : "Certificates",
      follows: measurement === "agent" ? "host" : "collector",
    },
    query: { fields: [as(last("certificate_days"), "days")], from: measurement, groupBy: ["host"] },
    lookback: 600,
    condition: { kind: "threshold", type: "lt", params: [days] },
    pending: "5m",
    ...keeping,
  });
}

/** The agent itself says how late it is: InfluxQL does not compare a time with now. */
const scheduleOverdue = buildRule({
  uid: "fm-schedule-overdue",
  title: "Schedule overdue",
  severity: "warning",
  summary: `${label("host")} has not been measured for ${value} times as long as its schedule says`,
  description: `The last run of a scheduled suite on ${label("host")} that went to its end lies ${value} times as long ago as two starts of its schedule lie apart: its KPIs say how fast it was, not how fast it is. Look first at what the host is busy with.`,
  runbook: "schedule-overdue",
  panel: { dashboard: hostDashboard, title: "Schedule", follows: "host" },
  query: { fields: [as(last("schedule_lateness"), "lateness")], from: "agent", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [staleLateness] },
  pending: "10m",
  ...keeping,
});

const hostNameTaken = buildRule({
  uid: "fm-host-name-taken",
  title: "Two agents of one name",
  severity: "warning",
  summary: `The collector ${label("host")} refuses agents whose host's name another holds`,
  description: `The collector ${label("host")} refused an agent ${value} times within ten minutes because another holds its host's name: two machines are configured alike, or one was cloned. What the second measures waits in its spool. Look first at the collector's log for host_name_taken.`,
  runbook: "host-name-taken",
  panel: { dashboard: pipelineDashboard, title: "Names refused", follows: "collector" },
  ...hasGrown("collector", "host_name_conflicts", ["host"], 600),
  pending: shortest,
  ...quiet,
});

const retentionHeld = buildRule({
  uid: "fm-retention-held",
  title: "Roll-up held",
  severity: "warning",
  summary: `The collector ${label("host")} rolls up and drops nothing`,
  description: `The collector ${label("host")} holds back what is past its time: its clock has leapt or is disputed, or a retention was shortened by far. The store grows until a person decides. Look first at /readyz, which says why.`,
  runbook: "retention-held",
  panel: { dashboard: pipelineDashboard, title: "Clock and roll-up", follows: "collector" },
  query: { fields: [as(last("retention_held"), "held")], from: "collector", groupBy: ["host"] },
  lookback: 600,
  condition: { kind: "threshold", type: "gt", params: [0.5] },
  pending: "10m",
  ...keeping,
});

const spoolUnreadable = buildRule({
  uid: "fm-spool-unreadable",
  title: "Spool entries unreadable",
  severity: "warning",
  summary: `The spool of ${label("host")} had unreadable entries`,
  description: `The agent of ${label("host")} set aside ${value} entries of its spool within an hour that it could not read (${label("reason")}). Look first at the disk of the host.`,
  runbook: "spool-unreadable",
  panel: { dashboard: pipelineDashboard, title: "Spool entries unreadable", follows: "host" },
  ...hasGrown("agent", "batches_quarantined", ["host", "reason"], 3600),
  pending: shortest,
  ...quiet,
});

const storeFailing = buildRule({
  uid: "fm-store-failing",
  title: "Store failing",
  severity: "critical",
  summary: `The store refuses the collector ${label("host")}`,
  description: `The store refused ${value} writes of the collector ${label("host")} within ten minutes. Nothing is lost while spools have room. Look first at the collector's log and /readyz.`,
  runbook: "store-failing",
  panel: { dashboard: pipelineDashboard, title: "Store failures", follows: "collector" },
  ...hasGrown("collector", "store_failures", ["host"], 600),
  pending: "5m",
  ...quiet,
});

function diskFull(severity: "warning" | "critical", percent: number): ProvisionedRule {
  return buildRule({
    uid: `fm-disk-full-${severity}`,
    title: severity === "critical" ? "Disk nearly full" : "Disk filling",
    severity,
    summary: `${label("path")} of ${label("host")} is filling`,
    description: `The file system ${label("path")} of ${label("host")} is ${value} % full, over ${percent} %. A full disk stops the spool and disturbs every measurement. Look first at what grows there.`,
    runbook: "disk-full",
    panel: { dashboard: hostDashboard, title: "Disk space in use", follows: "host" },
    query: { fields: [as(min("used_percent"), "used")], from: "disk", groupBy: ["host", "path"] },
    lookback: 600,
    // A warning goes on while there is a critical alert: one that ended would read as if it had got better.
    condition: { kind: "threshold", type: "gt", params: [percent] },
    pending: "5m",
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
  certificateEnding("collector", "warning", 30),
  certificateEnding("collector", "critical", 3),
  certificateEnding("agent", "warning", 30),
  certificateEnding("agent", "critical", 3),
  clockOffset,
  samplesDropped,
  samplesRefused,
  spoolFilling("warning", 50, "10m"),
  spoolFilling("critical", 80, "2m"),
  quarantineGrowing,
  spoolUnreadable,
  diskFull("warning", 85),
  diskFull("critical", 95),
];
