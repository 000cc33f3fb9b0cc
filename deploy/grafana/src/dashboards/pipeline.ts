import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard, type Shelf } from "../panels/layout.js";
import { lossInterval, stat, type TimeseriesFacts, timeseries } from "../panels/panels.js";
import { colors, steps } from "../panels/thresholds.js";
import { units } from "../panels/units.js";
import {
  as,
  divideBy,
  increase,
  last,
  max,
  mean,
  min,
  perSecond,
  quoteName,
  selected,
  selectGrowth,
} from "../queries/influxql.js";
import { letterOf, querySeries } from "../queries/target.js";

interface Source {
  readonly from: string;
  readonly where: readonly string[];
}

const agents: Source = { from: "agent", where: [selected("host")] };
const collectors: Source = { from: "collector", where: [selected("host", "collector")] };

interface Looks extends Pick<TimeseriesFacts, "unit" | "decimals" | "min" | "max" | "steps"> {
  /** What the stored values are divided by to give the unit. */
  readonly divisor?: number;
}

/** Draws expressions over a measurement, a line for each host and expression. */
function drawLines(
  source: Source,
  groupBy: readonly string[],
  title: string,
  description: string,
  { divisor = 1, ...looks }: Looks,
  fields: Readonly<Record<string, string>>,
) {
  const named = Object.entries(fields);
  const select = {
    ...source,
    fields: named.map(([name, field]) => as(divideBy(field, divisor), name)),
    groupBy,
    every: "$__interval",
    fill: "null",
  } as const;
  const alias = [...groupBy.map((tag) => `$tag_${tag}`), ...(named.length === 1 ? [] : ["$col"])].join(" ");
  return timeseries({ title, description, min: 0, ...looks, queries: [querySeries("A", select, alias)] });
}

/**
 * Draws how fast a counter grows, from sample to sample: of two buckets' values, the last bucket has only begun, and
 * every line would end in a fall.
 */
function drawRate(source: Source, title: string, description: string, decimals: number, counter: string) {
  const steps = { ...source, fields: [as(perSecond(quoteName(counter)), "step")], groupBy: ["host"] };
  const select = {
    fields: [as(mean("step"), "rate")],
    from: steps,
    groupBy: ["host"],
    every: "$__interval",
    fill: "null",
  } as const;
  const queries = [querySeries("A", select, "$tag_host")];
  return timeseries({ title, description, queries, unit: units.perSecond, decimals, min: 0 });
}

const ofAgents = drawLines.bind(undefined, agents, ["host"]);
const ofCollectors = drawLines.bind(undefined, collectors, ["host"]);

/** Draws how much counters grew, by reason. */
function drawLosses(source: Source, title: string, description: string, fields: Readonly<Record<string, string>>) {
  const grouped = { where: source.where, groupBy: ["host", "reason"], every: "$__interval" };
  const queries = Object.entries(fields).map(([name, field], i) =>
    querySeries(letterOf(i), selectGrowth(source.from, field, name, grouped), `$tag_host ${name} $tag_reason`),
  );
  const how = `${description} Per host and reason, in each step of the chart. Should be none.`;
  return timeseries({ title, description: how, queries, unit: units.count, min: 0 }).interval(lossInterval);
}

/** Shows what the selected collectors said last: their sum, or the worst of them. */
function showNow(title: string, description: string, field: string, over: "sum" | "max", { divisor = 1, ...looks }: Looks) {
  const select = {
    fields: [as(divideBy(`${over}("value")`, divisor), "value")],
    from: { ...collectors, fields: [as(last(field), "value")], groupBy: ["host"] },
  };
  return stat({ title, description, queries: [querySeries("A", select)], steps: steps(colors.plain), ...looks, lastOnly: "2m" });
}

function place(height: number, width: number, panels: readonly Builder<Panel>[]): Shelf {
  return { height, panels: panels.map((panel) => [width, panel] as const) };
}

const count = { unit: units.count };
const bytes = { unit: units.bytes, decimals: 1 };
/** Stored in milliseconds, and divided in the query. */
const milliseconds = { unit: units.seconds, decimals: 1, divisor: 1000 };
const seconds = { unit: units.seconds, decimals: 1 };
const percent = { unit: units.percent, decimals: 1 };

const now = [
  showNow("Agents attached", "Agents that are attached to the selected collectors.", "agents_attached", "sum", count),
  showNow("Waiting for the store", "Batches that the collectors hold and the store has not committed.", "queue_batches", "sum", {
    ...count,
    steps: steps(colors.good, [100, colors.missed], [1000, colors.bad]),
  }),
  showNow(
    "Commit, p99",
    "Time that the store takes to commit a group of batches, 99th percentile, of the slowest collector.",
    "commit_p99_ms",
    "max",
    {
      ...milliseconds,
      steps: steps(colors.good, [0.5, colors.missed], [5, colors.bad]),
    },
  ),
  showNow(
    "From sample to store, p99",
    "Time from a batch's newest sample to its commit, 99th percentile, of the slowest collector.",
    "end_to_end_p99_s",
    "max",
    {
      ...seconds,
      steps: steps(colors.good, [10, colors.missed], [60, colors.bad]),
    },
  ),
  showNow(
    "Quarantine now",
    "What the collectors keep of batches and lines that could never be stored.",
    "quarantine_bytes",
    "sum",
    {
      ...bytes,
      steps: steps(colors.plain, [1, colors.missed]),
    },
  ),
  showNow(
    "Waiting in NATS",
    "Messages of the stream that the collectors have not fetched. Empty without NATS.",
    "nats_pending",
    "max",
    {
      ...count,
      steps: steps(colors.good, [1000, colors.missed], [10_000, colors.bad]),
    },
  ),
];

const collectorPanels = [
  drawRate(
    collectors,
    "Samples committed",
    "Samples per second that the store has committed, per collector.",
    0,
    "samples_committed",
  ),
  ofCollectors("Commit time", "Time that the store takes to commit a group of batches.", milliseconds, {
    p50: max("commit_p50_ms"),
    p99: max("commit_p99_ms"),
  }),
  ofCollectors(
    "From sample to store",
    "Time from a batch's newest sample to its commit, by the clocks of agent and collector.",
    seconds,
    {
      p50: max("end_to_end_p50_s"),
      p99: max("end_to_end_p99_s"),
    },
  ),
  ofCollectors(
    "Queue",
    "Bytes of batches that wait for the store. At its bound the collector stops reading agents, who keep what they have.",
    bytes,
    {
      queue: max("queue_bytes"),
    },
  ),
  ofCollectors(
    "Store failures",
    "Writes that the store refused, in each step of the chart; they are repeated until it takes them.",
    count,
    {
      failures: increase(max("store_failures")),
    },
  ),
  ofCollectors("Damaged rows", "Rows of a collector's data file that could not be read any more, and are missing since.", count, {
    damaged: max("store_damaged_rows"),
  }),
  ofCollectors(
    "Quarantine",
    "Bytes of what could never be stored. It grows when an agent sends what the collector can't read, or the store refuses lines for good.",
    bytes,
    {
      quarantine: max("quarantine_bytes"),
    },
  ),
  ofCollectors(
    "Clock and roll-up",
    "1 while most hosts contradict a collector's clock, and 1 while nothing is rolled up or dropped until the clock is trusted or a person allows it.",
    { ...count, max: 1 },
    {
      disputed: max("clock_disputed"),
      held: max("retention_held"),
    },
  ),
  ofCollectors("Certificates", "Days until the first of a collector's certificates ends. Empty without TLS.", count, {
    days: min("certificate_days"),
  }),
  ofCollectors(
    "Connections refused",
    "Connections that ended before an agent introduced itself, and times that a host had sent more than it may, in each step of the chart.",
    count,
    {
      failed: increase(max("handshakes_failed")),
      throttled: increase(max("hosts_throttled")),
    },
  ),
  ofCollectors(
    "Names refused",
    "Agents that were refused because another holds their host's name, in each step of the chart.",
    count,
    {
      refused: increase(max("host_name_conflicts")),
    },
  ),
  drawLosses(
    collectors,
    "Refused and rejected",
    "Samples refused while the rest of their batch was stored, and batches rejected whole, by collectors.",
    {
      refused: "samples_refused",
      rejected: "batches_rejected",
    },
  ),
  ofCollectors(
    "NATS",
    "Messages that wait in the stream, that are fetched and not yet acknowledged, and that were delivered again. Empty without NATS.",
    count,
    {
      pending: max("nats_pending"),
      unacknowledged: max("nats_ack_pending"),
      redelivered: increase(max("nats_redelivered")),
    },
  ),
  drawRate(
    collectors,
    "Repeated batches",
    "Batches per second that came again after they were stored, and changed nothing: acknowledgements that were lost.",
    2,
    "batches_repeated",
  ),
  ofCollectors("Agents per collector", "Agents that are attached, per collector.", count, { agents: max("agents_attached") }),
  ofCollectors(
    "Collectors' memory",
    "Resident memory of each collector's process.",
    { ...bytes, decimals: 0 },
    { memory: max("rss_bytes") },
  ),
  ofCollectors("Collectors' CPU", "CPU time of each collector's process, 100 % = one core.", percent, {
    cpu: mean("cpu_percent"),
  }),
];

const agentPanels = [
  ofAgents(
    "Spool in use",
    "Share of the spool's bound that batches without acknowledgement take. At the bound the oldest telemetry is dropped.",
    { ...percent, max: 100, steps: steps(colors.good, [50, colors.missed], [80, colors.bad]) },
    {
      spool: `${max("spool_bytes")} / ${min("spool_limit_bytes")} * 100`,
    },
  ),
  ofAgents(
    "Oldest batch in the spool",
    "Age of the oldest batch that is not acknowledged.",
    { ...seconds, decimals: 0 },
    { age: max("spool_oldest_age_s") },
  ),
  drawLosses(
    agents,
    "Dropped and refused samples",
    "Samples that agents dropped, and samples of theirs that collectors refused.",
    {
      dropped: "samples_dropped",
      refused: "samples_refused",
    },
  ),
  drawRate(agents, "Samples recorded", "Samples per second that each agent records.", 1, "samples_recorded"),
  drawRate(
    agents,
    "Samples sent again",
    "Samples per second that agents sent again for want of an acknowledgement.",
    2,
    "samples_resent",
  ),
  ofAgents(
    "Reconnects and violations",
    "Times that agents had to connect anew, and frames of the collector that broke the protocol, in each step of the chart.",
    count,
    {
      reconnects: increase(max("reconnects")),
      violations: increase(max("protocol_violations")),
    },
  ),
  ofAgents(
    "Clock offset",
    "The agent's clock minus the collector's, corrected by half the round trip, per host. Samples are stamped by the agent's clock.",
    { ...milliseconds, min: undefined, steps: steps(colors.bad, [-1, colors.good], [1, colors.bad]) },
    {
      offset: mean("clock_offset_ms"),
    },
  ),
  ofAgents("Agents' certificates", "Days until an agent's certificate ends. Empty without TLS.", count, {
    days: min("certificate_days"),
  }),
  ofAgents("Round trip", "Time from agent to collector and back, per host.", milliseconds, { round_trip: mean("clock_rtt_ms") }),
  drawLosses(agents, "Spool entries unreadable", "Entries of the spool that could not be read and were set aside.", {
    unreadable: "batches_quarantined",
  }),
  ofAgents(
    "Agents' CPU",
    "CPU time of each agent's own process, 100 % = one core: what watching costs.",
    { ...percent, decimals: 2 },
    {
      cpu: mean("cpu_percent"),
    },
  ),
  ofAgents(
    "Agents' memory",
    "Resident memory of each agent's own process.",
    { ...bytes, decimals: 0 },
    { memory: max("rss_bytes") },
  ),
  drawLines(
    agents,
    ["host", "probe"],
    "Probes that fail",
    "Share of samples in which a probe failed, per host and probe.",
    { ...percent, max: 100 },
    {
      failed: '(1 - mean("success")) * 100',
    },
  ),
];

/** Three panels side by side, shelf below shelf. */
function shelve(panels: readonly Builder<Panel>[]): Shelf[] {
  return Array.from({ length: Math.ceil(panels.length / 3) }, (_, i) => place(8, 8, panels.slice(3 * i, 3 * i + 3)));
}

export const pipelineDashboard = buildDashboard({
  uid: dashboardUids.pipeline,
  title: "Fleetmark: pipeline",
  description:
    "The way of a sample from the agents through the collectors into the store: how long it takes, what waits, what is lost",
  variables: ["host", "collector"],
  from: "now-6h",
  refresh: "30s",
  shadesRuns: false,
  sections: [
    { title: "Now", shelves: [place(4, 4, now)] },
    { title: "Collectors", shelves: shelve(collectorPanels) },
    { title: "Agents", shelves: shelve(agentPanels) },
  ],
});
