import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { createLatencyWindow } from "./latency-window.js";

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * The two figures of the process that operators alert on, under Prometheus' own names. The client library's default
 * metrics sample the event loop a hundred times a second, which costs 0.7 % of a core on a host that is being
 * measured.
 */
function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process, user and system",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
}

/** What makes the metrics of a registry, each by its name without the prefix and its help. */
function createMakers(registry: Registry) {
  const registers = [registry];
  const count = (name: string, help: string) => new Counter({ name: `fleetmark_${name}`, help, registers });
  const countBy = <L extends string>(label: L, name: string, help: string) =>
    new Counter({ name: `fleetmark_${name}`, help, labelNames: [label], registers });
  const countByCode = (name: string, help: string) => countBy("code", name, help);
  const gauge = (name: string, help: string) => new Gauge({ name: `fleetmark_${name}`, help, registers });
  /** A histogram for Prometheus, and the exact quantiles of late for the collector's own telemetry. */
  const latency = (name: string, help: string) => {
    const histogram = new Histogram({ name: `fleetmark_${name}`, help, buckets: latencyBuckets, registers });
    const window = createLatencyWindow();
    const observe = (seconds: number): void => {
      histogram.observe(seconds);
      window.observe(seconds);
    };
    return { observe, readWindow: window.read };
  };
  return { count, countBy, countByCode, gauge, latency };
}

/** What is counted of clocks and names that contradict each other. */
function createDoubtMetrics({ count, countByCode, gauge }: ReturnType<typeof createMakers>) {
  return {
    batchesDeferred: count(
      "batches_deferred_total",
      "Batches that were given back to their agents because most hosts contradict the collector's clock; they come again",
    ),
    samplesRestamped: count(
      "samples_restamped_total",
      "Samples of agents' own telemetry that were stored under the time of their receipt, because their own was out of bounds",
    ),
    damagedRows: gauge("store_damaged_rows", "Rows of the data file that could not be read any more, and are missing since"),
    certificateDays: gauge(
      "certificate_days",
      "Days until the first of the collector's own certificates ends, below zero once it has; 0 where it has none",
    ),
    handshakesFailed: countByCode(
      "handshakes_failed_total",
      "Connections to the gRPC port that ended before their TLS handshake did, by reason",
    ),
    hostsThrottled: count(
      "hosts_throttled_total",
      "Times that a host had sent more than it may, and was not read from for up to a second or had a batch sent back to NATS for a while",
    ),
    hostNameConflicts: count(
      "host_name_conflicts_total",
      "Times that an agent was refused because another holds its host's name",
    ),
    clockDisputed: gauge("clock_disputed", "1 while most hosts' clocks contradict the collector's, else 0"),
    clockOffsetSeconds: gauge(
      "clock_offset_seconds",
      "Median of the hosts' clocks less the collector's; 0 while no host has told its clock",
    ),
    retentionHeld: gauge(
      "retention_held",
      "1 while nothing is rolled up or dropped until the clock is trusted or a person says so",
    ),
  };
}

/** What the collector counts of itself, in a registry of its own: a process may hold several collectors. */
export function createMetrics() {
  const registry = new Registry();
  addProcessMetrics(registry);
  const makers = createMakers(registry);
  const { count, countBy, countByCode, gauge, latency } = makers;
  return {
    registry,
    batchesReceived: count("batches_received_total", "Batches that agents sent"),
    samplesCommitted: count("samples_committed_total", "Samples that the store committed"),
    batchesCommitted: count("batches_committed_total", "Batches that the store committed"),
    batchesRepeated: count("batches_repeated_total", "Batches that came again after they were stored, and changed nothing"),
    batchesRejected: countByCode("batches_rejected_total", "Batches that were rejected whole, by error code"),
    samplesRefused: countByCode(
      "samples_refused_total",
      "Samples that were refused while the rest of their batch was stored, by error code",
    ),
    ...createDoubtMetrics(makers),
    streamsRefused: countByCode("streams_refused_total", "Streams of agents that the collector ended, by error code"),
    quarantineFailures: count("quarantine_failures_total", "Rejected batches that could not be kept in quarantine"),
    quarantineBytes: gauge("quarantine_bytes", "Size of the quarantine"),
    natsTaking: gauge("nats_taking", "1 while batches are taken from NATS, 0 while something is in the way"),
    natsPending: gauge("nats_pending", "Batches in the NATS stream that no collector was given yet"),
    natsAckPending: gauge("nats_ack_pending", "Batches of the NATS stream that collectors have in hand"),
    natsRedelivered: count(
      "nats_redelivered_total",
      "Batches that NATS delivered to this collector which it had delivered before",
    ),
    natsRebuilds: count("nats_rebuilds_total", "Times that the fetching from NATS was stuck and began anew"),
    commandResultsRefused: count(
      "command_results_refused_total",
      "Results of commands from hosts that were not given them, or that make no sense",
    ),
    agentsAttached: gauge("agents_attached", "Agents that are attached now"),
    queueBatches: gauge("queue_batches", "Batches that wait for the store"),
    queueBytes: gauge(
      "queue_bytes",
      "Size of the batches that wait for the store, encoded; decoded they take about five times as much",
    ),
    verdicts: countBy("verdict", "verdicts_total", "Results that were judged against those of before, by verdict"),
    storeFailures: count("store_failures_total", "Writes that the store refused; they are repeated until it takes them"),
    commitSeconds: latency("commit_seconds", "Time that the store took to commit a group of batches"),
    endToEndSeconds: latency("end_to_end_seconds", "Time from a batch's newest sample to its commit, by the two hosts' clocks"),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
