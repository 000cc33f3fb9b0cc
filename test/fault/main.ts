import { join } from "node:path";
import { parseArgs } from "node:util";
import { type RunOutcome, runFaults } from "./run.js";
import { enterSandbox } from "./sandbox.js";
import { findTopologyObstacle, startTopology, type Topology, type TopologyName, topologyNames } from "./topology.js";

/**
 * Lets things fail by chance under load, and judges what the store holds then. The last line on standard output is one
 * JSON object; the exit code is 1 if anything was lost, uncounted, doubled, changed or invented, or did not recover.
 */

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "100" },
    seed: { type: "string" },
    topologies: { type: "string", default: topologyNames.join(",") },
    hosts: { type: "string", default: "52" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

/** Fresh samples have to flow again so soon after a fault, seconds. */
const recoverWithinS = 30;

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(values.faults);
const bounds = values.quick
  ? ({ shortS: [0.3, 1.5], longS: 3, calmS: 0.3 } as const)
  : ({ shortS: [1, 12], longS: 75, calmS: 2 } as const);
const processes = 4;
const load = {
  seed,
  processes,
  hostsPerProcess: Math.ceil(Number(values.hosts) / processes),
  shape: { groups: 3, fields: 10 },
  intervalMs: values.quick ? 500 : 1000,
};

const sandbox = await enterSandbox(values.keep);
let topology: Topology | undefined;
const interrupt = (): void => {
  process.stderr.write("interrupted; ending everything\n");
  void Promise.resolve(topology?.close()).finally(() => process.exit(130));
};
for (const event of ["SIGINT", "SIGTERM", "message"] as const) process.on(event, interrupt);

process.stderr.write(`seed ${seed}: make fault FAULTS=${count} SEED=${seed} runs this plan again\n`);

function addUp(
  outcomes: readonly RunOutcome[],
  key:
    | "produced"
    | "acked"
    | "stored"
    | "lost"
    | "uncounted"
    | "destroyed"
    | "doubled"
    | "changed"
    | "strangers"
    | "unspooled"
    | "undelivered",
): number {
  return outcomes.reduce((sum, outcome) => sum + outcome[key], 0);
}

function merge(outcomes: readonly Record<string, number>[], join: (a: number, b: number) => number): Record<string, number> {
  const merged: Record<string, number> = {};
  for (const outcome of outcomes) {
    for (const [key, value] of Object.entries(outcome)) merged[key] = key in merged ? join(merged[key], value) : value;
  }
  return merged;
}

function isGood(outcome: RunOutcome): boolean {
  const { lost, uncounted, doubled, changed, strangers, undelivered, crashes } = outcome;
  const recovered = Object.values(outcome.recovery_s).every((seconds) => seconds <= recoverWithinS);
  return lost + uncounted + doubled + changed + strangers + undelivered === 0 && crashes.length === 0 && recovered;
}

const outcomes: Record<string, RunOutcome> = {};
const unavailable: Record<string, string> = {};
let network = `left alone: ${sandbox.obstacle}`;
try {
  const names = values.topologies.split(",") as TopologyName[];
  const possible = names.filter((name) => {
    const obstacle = findTopologyObstacle(name);
    if (obstacle !== undefined) unavailable[name] = obstacle;
    return obstacle === undefined;
  });
  let wire: Topology["wire"];
  for (const [i, name] of possible.entries()) {
    const share = Math.floor((count * (i + 1)) / possible.length) - Math.floor((count * i) / possible.length);
    if (share === 0) continue;
    topology = await startTopology(name, join(sandbox.folder, name), sandbox, load, wire);
    wire = topology.wire;
    if (wire !== undefined) network = wire.netem ? "netem" : "blackhole and tbf, for this kernel has no netem";
    outcomes[name] = await runFaults(topology, {
      ...load,
      count: share,
      bounds,
      only: values.only?.split(","),
      planSeed: seed + i,
    });
    await topology.close();
    topology = undefined;
  }
} finally {
  await topology?.close();
}

const all = Object.values(outcomes);
const recovery = merge(
  all.map(({ recovery_s }) => recovery_s),
  Math.max,
);
const sum = (a: number, b: number): number => a + b;
const summary = {
  seed,
  hosts: processes * load.hostsPerProcess,
  produced: addUp(all, "produced"),
  acked: addUp(all, "acked"),
  stored: addUp(all, "stored"),
  lost: addUp(all, "lost"),
  uncounted: addUp(all, "uncounted"),
  destroyed: addUp(all, "destroyed"),
  doubled: addUp(all, "doubled"),
  changed: addUp(all, "changed"),
  strangers: addUp(all, "strangers"),
  undelivered: addUp(all, "undelivered"),
  unspooled: addUp(all, "unspooled"),
  dropped: merge(
    all.map(({ dropped }) => dropped),
    sum,
  ),
  quarantined: merge(
    all.map(({ quarantined }) => quarantined),
    sum,
  ),
  faults: merge(
    all.map(({ faults }) => faults),
    sum,
  ),
  longest_recovery_s: Math.max(0, ...Object.values(recovery)),
  recovery_s: recovery,
  nursed_recovery_s: merge(
    all.map(({ nursed_recovery_s }) => nursed_recovery_s),
    Math.max,
  ),
  crashes: all.flatMap(({ crashes }) => crashes),
  findings: all.flatMap(({ findings }) => findings),
  network,
  unavailable,
  topologies: outcomes,
};
process.stdout.write(`${JSON.stringify(summary)}\n`);
process.exit(all.length > 0 && all.every(isGood) ? 0 : 1);
