import { dashboardUids } from "../dashboard-ids.js";
import { as, increase, last, max, mean, min, perSecond, selected } from "../influxql.js";
import { buildDashboard } from "../layout.js";
import { lossInterval, stat, type TimeseriesFacts, timeseries } from "../panels.js";
import { querySeries } from "../target.js";
import { colors, steps } from "../thresholds.js";
import { units } from "../units.js";

const agents = { from: "agent", where: [selected("host")], groupBy: ["host"], every: "$__interval", fill: "null" } as const;
const collectors = {
  from: "collector",
  where: [selected("host", "collector")],
  groupBy: ["host"],
  every: "$__interval",
  fill: "null",
} as const;

/** Lines of expressions over one measurement, one for each host and expression. */
function lines(
  facts: Pick<TimeseriesFacts, "title" | "description" | "unit" | "decimals" | "min" | "max" | "steps">,
  source: typeof agents | typeof collectors,
  fields: Readonly<Record<string, string>>,
) {
  const names = Object.keys(fields);
  const alias = names.length === 1 ? "$tag_host" : "$tag_host $col";
  return timeseries({
    min: 0,
    ...facts,
    queries: [querySeries("A", { ...source, fields: names.map((name) => as(fields[name], name)) }, alias)],
  });
}

/** Lines of a counter by reason: how much it grew in each bucket. */
function byReason(
  title: string,
  description: string,
  source: typeof agents | typeof collectors,
  fields: Readonly<Record<string, string>>,
) {
  return timeseries({
    title,
    description: `${description} Per host and reason, in each step of the chart. Should be none.`,
    queries: Object.entries(fields).map(([name, field], i) =>
      querySeries(
        "AB"[i],
        { ...source, fields: [as(increase(max(field)), name)], groupBy: ["host", "reason"], fill: 0 },
        `$tag_host ${name} $tag_reason`,
      ),
    ),
    unit: units.count,
    min: 0,
  }).interval(lossInterval);
}

function now(
  title: string,
  description: string,
  field: string,
  aggregate: (field: string) => string,
  unit: string,
  decimals: number,
  limits = steps(colors.plain),
) {
  const { from, where } = collectors;
  return stat({
    title,
    description,
    queries: [
      querySeries("A", {
        fields: [as(aggregate("value"), "value")],
        from: { fields: [as(last(field), "value")], from, where, groupBy: ["host"] },
      }),
    ],
    unit,
    decimals,
    steps: limits,
    lastOnly: "2m",
  });
}

const sumOf = (field: string): string => `sum("${field}")`;

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
    {
      title: "Now",
      shelves: [
        {
          height: 4,
          panels: [
            [
              4,
              now(
                "Agents attached",
                "Agents that are attached to the selected collectors.",
                "agents_attached",
                sumOf,
                units.count,
                0,
              ),
            ],
            [
              4,
              now(
                "Waiting for the store",
                "Batches that the collectors hold and the store has not committed.",
                "queue_batches",
                sumOf,
                units.count,
                0,
                steps(colors.good, [100, colors.missed], [1000, colors.bad]),
              ),
            ],
            [
              4,
              now(
                "Commit, p99",
                "Time that the store takes to commit a group of batches, 99th percentile, of the slowest collector.",
                "commit_p99_ms",
                max,
                units.milliseconds,
                1,
                steps(colors.good, [500, colors.missed], [5000, colors.bad]),
              ),
            ],
            [
              4,
              now(
                "From sample to store, p99",
                "Time from a batch's newest sample to its commit, 99th percentile, of the slowest collector.",
                "end_to_end_p99_s",
                max,
                units.seconds,
                1,
                steps(colors.good, [10, colors.missed], [60, colors.bad]),
              ),
            ],
            [
              4,
              now(
                "Quarantine",
                "What the collectors keep of batches and lines that could never be stored.",
                "quarantine_bytes",
                sumOf,
                units.bytes,
                1,
                steps(colors.plain, [1, colors.missed]),
              ),
            ],
            [
              4,
              now(
                "Waiting in NATS",
                "Messages of the stream that the collectors have not fetched. Empty without NATS.",
                "nats_pending",
                max,
                units.count,
                0,
                steps(colors.good, [1000, colors.missed], [10_000, colors.bad]),
              ),
            ],
          ],
        },
      ],
    },
    {
      title: "Collectors",
      shelves: [
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Samples committed",
                  description: "Samples per second that the store has committed, per collector.",
                  unit: units.perSecond,
                  decimals: 0,
                },
                collectors,
                { samples: perSecond(max("samples_committed")) },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Commit time",
                  description: "Time that the store takes to commit a group of batches.",
                  unit: units.milliseconds,
                  decimals: 1,
                },
                collectors,
                { p50: max("commit_p50_ms"), p99: max("commit_p99_ms") },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "From sample to store",
                  description: "Time from a batch's newest sample to its commit, by the clocks of agent and collector.",
                  unit: units.seconds,
                  decimals: 2,
                },
                collectors,
                { p50: max("end_to_end_p50_s"), p99: max("end_to_end_p99_s") },
              ),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Queue",
                  description:
                    "Bytes of batches that wait for the store. At its bound the collector stops reading agents, who keep what they have.",
                  unit: units.bytes,
                  decimals: 1,
                },
                collectors,
                { queue: max("queue_bytes") },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Store failures",
                  description: "Writes that the store refused, in each step of the chart; they are repeated until it takes them.",
                  unit: units.count,
                },
                collectors,
                { failures: increase(max("store_failures")) },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Quarantine",
                  description:
                    "Bytes of what could never be stored. It grows when an agent sends what the collector can't read, or the store refuses lines for good.",
                  unit: units.bytes,
                  decimals: 1,
                },
                collectors,
                { quarantine: max("quarantine_bytes") },
              ),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              byReason(
                "Refused and rejected",
                "Samples refused while the rest of their batch was stored, and batches rejected whole, by collectors.",
                collectors,
                { refused: "samples_refused", rejected: "batches_rejected" },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "NATS",
                  description:
                    "Messages that wait in the stream, that are fetched and not yet acknowledged, and that were delivered again. Empty without NATS.",
                  unit: units.count,
                },
                collectors,
                {
                  pending: max("nats_pending"),
                  unacknowledged: max("nats_ack_pending"),
                  redelivered: increase(max("nats_redelivered")),
                },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Repeated batches",
                  description:
                    "Batches per second that came again after they were stored, and changed nothing: acknowledgements that were lost.",
                  unit: units.perSecond,
                  decimals: 2,
                },
                collectors,
                { repeated: perSecond(max("batches_repeated")) },
              ),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Agents attached",
                  description: "Agents that are attached, per collector.",
                  unit: units.count,
                },
                collectors,
                { agents: max("agents_attached") },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Collectors' memory",
                  description: "Resident memory of each collector's process.",
                  unit: units.bytes,
                  decimals: 0,
                },
                collectors,
                { memory: max("rss_bytes") },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Collectors' CPU",
                  description: "CPU time of each collector's process, 100 % = one core.",
                  unit: units.percent,
                  decimals: 1,
                },
                collectors,
                { cpu: mean("cpu_percent") },
              ),
            ],
          ],
        },
      ],
    },
    {
      title: "Agents",
      shelves: [
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Spool in use",
                  description:
                    "Share of the spool's bound that batches without acknowledgement take. At the bound the oldest telemetry is dropped.",
                  unit: units.percent,
                  decimals: 1,
                  max: 100,
                  steps: steps(colors.good, [50, colors.missed], [80, colors.bad]),
                },
                agents,
                { spool: `${max("spool_bytes")} / ${min("spool_limit_bytes")} * 100` },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Oldest batch in the spool",
                  description: "Age of the oldest batch that is not acknowledged.",
                  unit: units.seconds,
                  decimals: 0,
                },
                agents,
                { age: max("spool_oldest_age_s") },
              ),
            ],
            [
              8,
              byReason(
                "Dropped and refused samples",
                "Samples that agents dropped, and samples of theirs that collectors refused.",
                agents,
                { dropped: "samples_dropped", refused: "samples_refused" },
              ),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Samples recorded",
                  description: "Samples per second that each agent records.",
                  unit: units.perSecond,
                  decimals: 1,
                },
                agents,
                { samples: perSecond(max("samples_recorded")) },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Samples sent again",
                  description: "Samples per second that agents sent again for want of an acknowledgement.",
                  unit: units.perSecond,
                  decimals: 2,
                },
                agents,
                { resent: perSecond(max("samples_resent")) },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Reconnects and violations",
                  description:
                    "Times that agents had to connect anew, and frames of the collector that broke the protocol, in each step of the chart.",
                  unit: units.count,
                },
                agents,
                { reconnects: increase(max("reconnects")), violations: increase(max("protocol_violations")) },
              ),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              timeseries({
                title: "Clock offset",
                description:
                  "The agent's clock minus the collector's, corrected by half the round trip, per host. Samples are stamped by the agent's clock.",
                queries: [querySeries("A", { ...agents, fields: [as(mean("clock_offset_ms"), "offset")] }, "$tag_host")],
                unit: units.milliseconds,
                decimals: 1,
                steps: steps(colors.bad, [-1000, colors.good], [1000, colors.bad]),
              }),
            ],
            [
              8,
              lines(
                {
                  title: "Round trip",
                  description: "Time from agent to collector and back, per host.",
                  unit: units.milliseconds,
                  decimals: 1,
                },
                agents,
                { round_trip: mean("clock_rtt_ms") },
              ),
            ],
            [
              8,
              byReason("Spool entries unreadable", "Entries of the spool that could not be read and were set aside.", agents, {
                unreadable: "batches_quarantined",
              }),
            ],
          ],
        },
        {
          height: 8,
          panels: [
            [
              8,
              lines(
                {
                  title: "Agents' CPU",
                  description: "CPU time of each agent's own process, 100 % = one core: what watching costs.",
                  unit: units.percent,
                  decimals: 2,
                },
                agents,
                { cpu: mean("cpu_percent") },
              ),
            ],
            [
              8,
              lines(
                {
                  title: "Agents' memory",
                  description: "Resident memory of each agent's own process.",
                  unit: units.bytes,
                  decimals: 0,
                },
                agents,
                { memory: max("rss_bytes") },
              ),
            ],
            [
              8,
              timeseries({
                title: "Probes that fail",
                description: "Share of samples in which a probe failed, per host and probe.",
                queries: [
                  querySeries(
                    "A",
                    { ...agents, fields: [as('(1 - mean("success")) * 100', "failed")], groupBy: ["host", "probe"] },
                    "$tag_host $tag_probe",
                  ),
                ],
                unit: units.percent,
                decimals: 1,
                min: 0,
                max: 100,
              }),
            ],
          ],
        },
      ],
    },
  ],
});
