import type { AlertSeverity } from "../model/kpis.js";

/**
 * What there is to be told of: the alerts of the collector, and those of Grafana, are made from this one catalogue, so
 * that both call the same thing by the same name, and say the same of it.
 */

/** What an alert is, whoever evaluates it. */
export interface AlertFacts {
  readonly title: string;
  readonly severity: AlertSeverity;
  /** A page of docs/runbooks/, without `.md`. */
  readonly runbook: string;
  /** How long what it tells of must hold before anybody hears of it, seconds. */
  readonly forS: number;
  /** What it is past. */
  readonly threshold: number;
  /** One line. */
  readonly summary: string;
  /** With the value, and the first thing to look at. */
  readonly description: string;
}

/** Texts hold `{host}` and the like for labels, and `{value}` for the value. */
export type FillIn = (name: string) => string;

/** Fills in what a text leaves open. */
export function fillIn(text: string, read: FillIn): string {
  return text.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) => read(name));
}

/**
 * The least time that a condition holds before anybody hears of it. A Grafana that starts for the first time sends to
 * its own default contact for a minute, until it has read ours; what needs no longer would go there.
 */
const shortestS = 120;
const minuteS = 60;

/** A warning goes on while there is a critical alert: one that ended would read as if it had got better. */
function spool(title: string, severity: AlertSeverity, threshold: number, forS: number): AlertFacts {
  return {
    ...{ title, severity, threshold, forS },
    runbook: "spool-filling",
    summary: "The spool of {host} is filling",
    description: `The spool of {host} is at {value} % of its bound, over ${threshold} %. At the bound the oldest telemetry is dropped. Look first whether the collector and its store work.`,
  };
}

function disk(title: string, severity: AlertSeverity, threshold: number): AlertFacts {
  return {
    ...{ title, severity, threshold, forS: 5 * minuteS },
    runbook: "disk-full",
    summary: "{path} of {host} is filling",
    description: `The file system {path} of {host} is {value} % full, over ${threshold} %. A full disk stops the spool and disturbs every measurement. Look first at what grows there.`,
  };
}

function certificate(whose: "agent" | "collector", severity: AlertSeverity, threshold: number): AlertFacts {
  const of = whose === "agent" ? "agent of" : "collector";
  return {
    ...{ severity, threshold, forS: 5 * minuteS },
    title: severity === "critical" ? `Certificate of ${whose} at its end` : `Certificate of ${whose} ending`,
    runbook: "certificate-ending",
    summary: `A certificate of the ${of} {host} ends soon`,
    description: `A certificate of the ${of} {host} ends in {value} days, under ${threshold}. Once it has, agents keep what they measure until it is renewed. Look first at what renews it.`,
  };
}

const card = "gpu{index} of {host}";

/** Alerts of cards and their driver. */
const gpuAlerts = {
  gpu_lost: {
    title: "GPU lost",
    severity: "critical",
    runbook: "gpu-lost",
    forS: shortestS,
    threshold: 0,
    summary: `${card} is lost`,
    description:
      "The driver of {host} can't reach the card {index} any more, or lists it no more. Nothing runs on it until the host is started anew. Look first at the kernel's log for Xid messages.",
  },
  gpu_tool_failing: {
    title: "GPU tool failing",
    severity: "warning",
    runbook: "gpu-tool-failing",
    forS: 5 * minuteS,
    threshold: 1,
    summary: "nvidia-smi fails on {host}",
    description:
      "nvidia-smi gave no whole answer on {host} for ten minutes: nothing is known of its cards. Look first at the reason in gpu_tool_state: a driver of another version, no driver, a tool that hangs.",
  },
  gpu_tool_slow: {
    title: "GPU tool slow",
    severity: "warning",
    runbook: "gpu-tool-failing",
    forS: 5 * minuteS,
    threshold: 2,
    summary: "nvidia-smi takes seconds on {host}",
    description:
      "nvidia-smi took {value} s on {host} in the mean of half an hour. Persistence mode is off there, most likely: each question loads the driver anew, and each job waits for it too.",
  },
  gpu_memory_errors: {
    title: "GPU memory errors",
    severity: "critical",
    runbook: "gpu-memory-errors",
    forS: shortestS,
    threshold: 0,
    summary: `${card} has memory errors that can't be corrected`,
    description: `${card} had {value} memory errors within half an hour that ECC could not correct: what ran on it may be wrong. Look first whether rows wait to be replaced, which a reset does.`,
  },
  gpu_memory_waits: {
    title: "GPU memory waits for repair",
    severity: "warning",
    runbook: "gpu-memory-errors",
    forS: shortestS,
    threshold: 0,
    summary: `${card} has memory to be replaced at its next reset`,
    description: `${card} has rows of memory that are replaced when it is reset. Let its jobs end, and reset it.`,
  },
  gpu_memory_beyond_repair: {
    title: "GPU memory beyond repair",
    severity: "critical",
    runbook: "gpu-memory-errors",
    forS: shortestS,
    threshold: 0,
    summary: `${card} has memory that can't be replaced`,
    description: `${card} has no spare rows left for memory that failed: it is to be replaced.`,
  },
} as const satisfies Readonly<Record<string, AlertFacts>>;

/** Alerts that are neither of a KPI nor of a verdict, by their keys. */
export const alertCatalogue = {
  ...gpuAlerts,
  fleet_silent: {
    title: "Fleet silent",
    severity: "critical",
    runbook: "fleet-silent",
    forS: shortestS,
    threshold: 0.5,
    summary: "Most of the fleet is silent",
    description:
      "Less than half of the agents that were heard of within a day have written anything within the last ninety seconds. One cause is likely: look first at the collectors, then at the network. Agents keep what they measure meanwhile.",
  },
  agent_down: {
    title: "Agent down",
    severity: "critical",
    runbook: "agent-down",
    // Longer than agents take to come back one after the other when the whole fleet had been cut off.
    forS: shortestS,
    threshold: 180,
    summary: "No word from {host}",
    description:
      "The agent of {host} has sent nothing for at least three minutes, while most others do. Its other alerts end meanwhile. Look first whether the host itself is up.",
  },
  collector_down: {
    title: "Collector down",
    severity: "critical",
    runbook: "collector-down",
    forS: shortestS,
    threshold: 180,
    summary: "No word from the collector {host}",
    description:
      "The collector {host} has written nothing of itself for at least three minutes, while another does. Agents keep what they measure until they reach one.",
  },
  clock_offset: {
    title: "Clock offset",
    severity: "warning",
    runbook: "clock-offset",
    forS: 5 * minuteS,
    threshold: 1000,
    summary: "The clock of {host} is off",
    description:
      "The clock of {host} is {value} ms from its collector's. Samples are stamped by it, and those too far off are refused. Look first whether time synchronisation runs there.",
  },
  samples_dropped: {
    title: "Samples dropped",
    severity: "critical",
    runbook: "samples-dropped",
    forS: shortestS,
    threshold: 0,
    summary: "{host} drops samples ({reason})",
    description:
      "The agent of {host} dropped {value} samples within half an hour, for the reason {reason}: they are lost. Look first at how full its spool is.",
  },
  samples_refused: {
    title: "Samples refused",
    severity: "warning",
    runbook: "samples-refused",
    forS: shortestS,
    threshold: 0,
    summary: "Samples of {host} are refused ({reason})",
    description:
      "The collector refused {value} samples of {host} within half an hour, for the reason {reason}. Look first at the clock of the host.",
  },
  spool_filling: spool("Spool filling", "warning", 50, 10 * minuteS),
  spool_nearly_full: spool("Spool nearly full", "critical", 80, shortestS),
  spool_unreadable: {
    title: "Spool entries unreadable",
    severity: "warning",
    runbook: "spool-unreadable",
    forS: shortestS,
    threshold: 0,
    summary: "The spool of {host} had unreadable entries",
    description:
      "The agent of {host} set aside {value} entries of its spool within an hour that it could not read ({reason}). Look first at the disk of the host.",
  },
  quarantine_growing: {
    title: "Quarantine growing",
    severity: "warning",
    runbook: "quarantine-growing",
    forS: shortestS,
    threshold: 0,
    summary: "The quarantine of the collector {host} grows",
    description:
      "The collector {host} put {value} bytes into quarantine within an hour: batches or lines that can never be stored. Look first at its log for why.",
  },
  store_failing: {
    title: "Store failing",
    severity: "critical",
    runbook: "store-failing",
    forS: 5 * minuteS,
    threshold: 0,
    summary: "The store refuses the collector {host}",
    description:
      "The store refused {value} writes of the collector {host} within ten minutes. Nothing is lost while spools have room. Look first at the collector's log and /readyz.",
  },
  store_damaged: {
    title: "Store damaged",
    severity: "critical",
    runbook: "store-damaged",
    forS: shortestS,
    threshold: 0,
    summary: "Rows of the collector {host} can't be read",
    description:
      "{value} more rows of the data file of the collector {host} could not be read within a day, and are missing. All else goes on. Look first at the disk.",
  },
  clock_disputed: {
    title: "Collector's clock disputed",
    severity: "critical",
    runbook: "clock-disputed",
    forS: shortestS,
    threshold: 0.5,
    summary: "Most hosts contradict the clock of the collector {host}",
    description:
      "The clock of the collector {host} is over a minute off those of most hosts. Agents keep what would be refused for its time, until their spools are full, and nothing is rolled up. Look first at the collector's time synchronisation.",
  },
  retention_held: {
    title: "Roll-up held",
    severity: "warning",
    runbook: "retention-held",
    forS: 10 * minuteS,
    threshold: 0.5,
    summary: "The collector {host} rolls up and drops nothing",
    description:
      "The collector {host} holds back what is past its time: its clock has leapt or is disputed, or a retention was shortened by far. The store grows until a person decides. Look first at /readyz, which says why.",
  },
  host_name_taken: {
    title: "Two agents of one name",
    severity: "warning",
    runbook: "host-name-taken",
    forS: shortestS,
    threshold: 0,
    summary: "The collector {host} refuses agents whose host's name another holds",
    description:
      "The collector {host} refused an agent {value} times within ten minutes because another holds its host's name: two machines are configured alike, or one was cloned. What the second measures waits in its spool. Look first at the collector's log for host_name_taken.",
  },
  schedule_overdue: {
    title: "Schedule overdue",
    severity: "warning",
    runbook: "schedule-overdue",
    forS: 10 * minuteS,
    threshold: 2,
    summary: "{host} has not been measured for {value} times as long as its schedule says",
    description:
      "The last run of a scheduled suite on {host} that went to its end lies {value} times as long ago as two starts of its schedule lie apart: its KPIs say how fast it was, not how fast it is. Look first at what the host is busy with.",
  },
  agent_certificate_ending: certificate("agent", "warning", 30),
  agent_certificate_at_end: certificate("agent", "critical", 3),
  collector_certificate_ending: certificate("collector", "warning", 30),
  collector_certificate_at_end: certificate("collector", "critical", 3),
  disk_filling: disk("Disk filling", "warning", 85),
  disk_nearly_full: disk("Disk nearly full", "critical", 95),
} as const satisfies Readonly<Record<string, AlertFacts>>;

export type AlertKey = keyof typeof alertCatalogue;

/** What became slower by a judgement of results; its texts are the verdict's. */
export const regressionAlerts = {
  plain: { title: "Slower than before", severity: "warning", runbook: "slower-than-before", forS: 0 },
  severe: { title: "Much slower than before", severity: "critical", runbook: "slower-than-before", forS: 0 },
} as const;

/** A worse state of the same thing: while it fires, nobody is told of the milder one beside it. */
export const milderThan: Readonly<Record<string, string>> = {
  [alertCatalogue.spool_nearly_full.title]: alertCatalogue.spool_filling.title,
  [alertCatalogue.disk_nearly_full.title]: alertCatalogue.disk_filling.title,
  [alertCatalogue.agent_certificate_at_end.title]: alertCatalogue.agent_certificate_ending.title,
  [alertCatalogue.collector_certificate_at_end.title]: alertCatalogue.collector_certificate_ending.title,
  [regressionAlerts.severe.title]: regressionAlerts.plain.title,
};

/** The page of a KPI's runbook, and its name in uids: `environment-step-time`. */
export function nameKpiPage({ title }: { readonly title: string }): string {
  return title.toLowerCase().replaceAll(" ", "-");
}

/** What is told of a KPI that is past one of its lines. */
export function describeKpiAlert(
  kpi: { readonly title: string },
  severity: AlertSeverity,
): Pick<AlertFacts, "title" | "severity" | "forS" | "runbook"> {
  const past = severity === "critical" ? "its alert threshold" : "its target";
  const forS = severity === "critical" ? 5 * minuteS : 15 * minuteS;
  return { title: `${kpi.title} past ${past}`, severity, forS, runbook: nameKpiPage(kpi) };
}
