import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createRandom, drawInteger } from "@fleetmark/shared/stats/random";
import { type Naming, spoolFolder } from "../load/simulated-host.js";
import type { ManagedProcess } from "../testbed/managed-process.js";
import { absent, choose, type FaultKind, startAgain } from "./fault-kind.js";
import { storeTroubles } from "./faulty-proxy.js";
import { operatorFaults } from "./operator-faults.js";
import type { Disk } from "./sandbox.js";
import { findStreamLeader } from "./servers.js";
import type { Topology } from "./topology.js";

type Find = (topology: Topology) => readonly ManagedProcess[];

function killServer(name: string, find: Find): FaultKind {
  return {
    name,
    obstacle: (topology) => (find(topology).length === 0 ? absent : undefined),
    strikes: (topology, pick) => [choose(find(topology), pick).name],
    async begin(topology, pick) {
      const process = choose(find(topology), pick);
      await process.kill();
      return () => startAgain(process);
    },
  };
}

function pauseServer(name: string, find: Find): FaultKind {
  return {
    ...killServer(name, find),
    async begin(topology, pick) {
      const process = choose(find(topology), pick);
      process.signal("SIGSTOP");
      return async () => process.signal("SIGCONT");
    },
  };
}

/** The cluster goes on without one of its nodes, not without two, so all faults of nodes strike the same thing. */
function strikeCluster(kind: FaultKind): FaultKind {
  return { ...kind, strikes: () => ["nats"] };
}

const natsFaults: FaultKind[] = [
  strikeCluster(killServer("kill-nats-node", ({ nats }) => nats)),
  strikeCluster(pauseServer("pause-nats-node", ({ nats }) => nats)),
  {
    name: "kill-nats-leader",
    obstacle: ({ nats }) => (nats.length === 0 ? absent : undefined),
    strikes: () => ["nats"],
    async begin({ nats }, pick) {
      const leader = (await findStreamLeader(nats)) ?? choose(nats, pick);
      await leader.kill();
      return () => startAgain(leader);
    },
  },
  {
    name: "disk-full-nats",
    obstacle: ({ disks, nats }) =>
      nats.length === 0 ? absent : disks === undefined ? "needs a disk that may be filled" : undefined,
    strikes: () => ["nats"],
    async begin({ disks, nats }, pick) {
      const disk = choose(disks?.nats ?? [], pick);
      const node = choose(nats, pick);
      disk.fill();
      return async () => {
        disk.free();
        // A server whose disk was full has switched JetStream off, until it is started again (nats-server, "JetStream
        // out of space").
        await node.kill();
        await startAgain(node);
      };
    },
  },
];

/**
 * Damages a spool file as a disk does: its end is torn off, a byte of it is changed, or bytes that were never written
 * follow.
 */
function damageFile(path: string, chance: () => number): void {
  const { size } = statSync(path);
  const way = drawInteger(chance, 3);
  if (way === 0) truncateSync(path, Math.max(0, size - 1 - drawInteger(chance, 40)));
  else if (way === 1) {
    const bytes = readFileSync(path);
    bytes[drawInteger(chance, size)] ^= 1 << drawInteger(chance, 8);
    writeFileSync(path, bytes);
  } else writeFileSync(path, Buffer.alloc(1 + drawInteger(chance, 100)), { flag: "a" });
}

function damageSpools(spools: string, hosts: readonly Naming[], pick: number): void {
  const chance = createRandom(Math.floor(pick * 2 ** 31));
  for (const { host } of hosts) {
    const folder = spoolFolder(spools, host);
    const files = readdirSync(folder).filter((name) => name.endsWith(".batches") && statSync(join(folder, name)).size > 0);
    if (files.length > 0) damageFile(join(folder, choose(files, chance())), chance);
  }
}

const agentFaults: FaultKind[] = [
  {
    name: "kill-agents",
    obstacle: () => undefined,
    strikes: (topology, pick) => [choose(topology.fleet, pick).name, "spool"],
    async begin(topology, pick) {
      const process = choose(topology.fleet, pick);
      await process.kill();
      return async () => process.start();
    },
  },
  {
    name: "pause-agents",
    obstacle: () => undefined,
    strikes: (topology, pick) => [choose(topology.fleet, pick).name],
    async begin(topology, pick) {
      const process = choose(topology.fleet, pick);
      process.signal("SIGSTOP");
      return async () => process.signal("SIGCONT");
    },
  },
  {
    name: "torn-spool",
    obstacle: () => undefined,
    strikes: ({ fleet, collectors }, pick) => [choose(fleet, pick).name, "spool", ...collectors.map(({ name }) => name)],
    async begin({ fleet, collectors, spools }, pick) {
      const process = choose(fleet, pick);
      // So that there is something in the spools.
      for (const collector of collectors) collector.signal("SIGSTOP");
      await delay(2000);
      await process.kill();
      for (const collector of collectors) collector.signal("SIGCONT");
      damageSpools(spools, process.hosts, pick);
      return async () => process.start();
    },
  },
  {
    name: "clock-step",
    obstacle: () => undefined,
    strikes: (topology, pick) => [choose(topology.fleet, pick).name],
    async begin(topology, pick) {
      const process = choose(topology.fleet, pick);
      const hour = (pick * 1000) % 1 < 0.5 ? 3600 : -3600;
      process.step(hour);
      return async () => process.step(-hour);
    },
  },
];

function troubleNetwork(name: string, begin: (wire: NonNullable<Topology["wire"]>, pick: number) => void): FaultKind {
  return {
    name,
    obstacle: ({ wire }) => (wire === undefined ? "needs network namespaces" : undefined),
    strikes: () => ["wire"],
    async begin({ wire }, pick) {
      if (wire === undefined) throw new Error("no wire");
      begin(wire, pick);
      return async () => wire.heal();
    },
  };
}

function fillDisk(
  name: string,
  strikes: FaultKind["strikes"],
  find: (topology: Topology) => Disk | undefined,
  after: FaultKind["begin"],
): FaultKind {
  return {
    name,
    obstacle: (topology) => (find(topology) === undefined ? "needs a disk that may be filled" : undefined),
    strikes,
    async begin(topology, pick) {
      find(topology)?.fill();
      return async () => {
        find(topology)?.free();
        await (await after(topology, pick))();
      };
    },
  };
}

const diskFaults: FaultKind[] = [
  // What the disk did not take is in memory until the spool tries it again, which it does every two seconds.
  fillDisk(
    "disk-full-spool",
    () => ["spool"],
    ({ disks }) => disks?.spool,
    async () => () => delay(4000),
  ),
  fillDisk(
    "disk-full-database",
    ({ influx, collectors }) => (influx === undefined ? collectors.map(({ name }) => name) : [influx.name]),
    ({ disks }) => disks?.database,
    async ({ influx, mendInfluxLog }) =>
      async () => {
        if (influx === undefined) return;
        // InfluxDB 1.x buffers its log in a bufio.Writer, which repeats its first error for ever (Go, package bufio,
        // type Writer): once its disk was full it takes no write before it is started again, and its log is torn.
        await influx.kill();
        await mendInfluxLog?.();
        await startAgain(influx);
      },
  ),
];

const storeFaults = storeTroubles.map((trouble): FaultKind => {
  return {
    name: `store-${trouble}`,
    obstacle: ({ proxy }) => (proxy === undefined ? "the store is a file" : undefined),
    strikes: () => ["store"],
    async begin({ proxy }) {
      if (proxy === undefined) throw new Error("no proxy");
      proxy.trouble = trouble;
      return async () => {
        proxy.trouble = undefined;
      };
    },
  };
});

const influxOf: Find = ({ influx }) => (influx === undefined ? [] : [influx]);

/** Every way in which a run lets something fail. */
export const faultKinds: readonly FaultKind[] = [
  ...agentFaults,
  killServer("kill-collector", ({ collectors }) => collectors),
  pauseServer("pause-collector", ({ collectors }) => collectors),
  killServer("kill-influx", influxOf),
  pauseServer("pause-influx", influxOf),
  ...natsFaults,
  troubleNetwork("network-cut", (wire) => wire.cut("both")),
  troubleNetwork("network-one-way", (wire, pick) => wire.cut(pick < 0.5 ? "to-far" : "from-far")),
  troubleNetwork("network-delay", (wire) => wire.delay()),
  troubleNetwork("network-loss", (wire) => wire.lose()),
  ...diskFaults,
  ...storeFaults,
  ...operatorFaults,
];
