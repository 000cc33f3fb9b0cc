import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { formatAddress } from "@fleetmark/shared/model/units";
import { type FleetProcess, startFleetProcess } from "../load/fleet.js";
import type { FleetProcessOptions } from "../load/fleet-process.js";
import { type JournalRecord, readJournal } from "../load/journal.js";
import type { Shape } from "../load/sample.js";
import type { Naming } from "../load/simulated-host.js";
import { createAuthority } from "../testbed/certificates.js";
import type { ManagedProcess } from "../testbed/managed-process.js";
import { findServer } from "../testbed/servers.js";
import { type FaultyProxy, startFaultyProxy } from "./faulty-proxy.js";
import type { StoredSample } from "./oracle.js";
import { createWire, type Disk, mountDisk, type Sandbox, type Wire } from "./sandbox.js";
import { type Collector, type InfluxServer, type NatsNode, prepareCollector, prepareInflux, prepareNats } from "./servers.js";
import { readDuckDb, readInflux } from "./store-reader.js";

/** A link and a store. Over NATS there is a cluster of three, and with InfluxDB behind it there are two collectors. */
export const topologyNames = ["grpc-duckdb", "nats-influx", "grpc-influx", "nats-duckdb"] as const;
export type TopologyName = (typeof topologyNames)[number];

export interface LoadOptions {
  readonly seed: number;
  readonly processes: number;
  readonly hostsPerProcess: number;
  readonly shape: Shape;
  readonly intervalMs: number;
}

/** Everything that a run needs, at work, and the handles by which faults get hold of it. */
export interface Topology {
  readonly name: TopologyName;
  readonly spools: string;
  /** The data directory of the one collector that has the store; undefined where the store is a server. */
  readonly dataDir: string | undefined;
  readonly collectors: readonly Collector[];
  readonly nats: readonly NatsNode[];
  readonly influx: ManagedProcess | undefined;
  readonly mendInfluxLog: InfluxServer["mendLog"] | undefined;
  readonly proxy: FaultyProxy | undefined;
  readonly fleet: readonly FleetProcess[];
  /** Starts more hosts, on spools of their own. They belong to whoever starts them, until the end. */
  startGuests(hosts: readonly Naming[]): FleetProcess;
  /** Notes what was done to the store, for the oracle. */
  note(record: JournalRecord): void;
  readonly wire: Wire | undefined;
  /** Of the spools, of the database, and of each NATS node. */
  readonly disks: { readonly spool: Disk; readonly database: Disk; readonly nats: readonly Disk[] } | undefined;
  /** Stops all but the store, and shows what the store holds. */
  readStore(see: (sample: StoredSample) => void): Promise<void>;
  readJournals(): JournalRecord[][];
  close(): Promise<void>;
}

/** MB. The spools of some fifty hosts need little; a full disk is one filled by somebody else. */
const diskMegabytes = { spool: 256, database: 384, nats: 300 } as const;

/** Says why a topology is not possible here; undefined if it is. */
export function findTopologyObstacle(name: TopologyName): string | undefined {
  const needed = [...(name.startsWith("nats") ? ["nats-server"] : []), ...(name.endsWith("influx") ? ["influxd"] : [])];
  const missing = needed.find((program) => findServer(program) === undefined);
  return missing === undefined ? undefined : `${missing} is not installed`;
}

interface Folders {
  readonly spools: string;
  readonly database: string;
  readonly nats: readonly string[];
}

function makeFolders(folder: string, withNats: boolean): Folders {
  const nats = withNats ? [1, 2, 3].map((i) => join(folder, `nats-${i}`)) : [];
  const folders = { spools: join(folder, "spools"), database: join(folder, "database"), nats };
  for (const path of [folder, folders.spools, folders.database, ...nats]) mkdirSync(path, { recursive: true });
  return folders;
}

function mountDisks({ spools, database, nats }: Folders): Topology["disks"] {
  return {
    spool: mountDisk(spools, diskMegabytes.spool),
    database: mountDisk(database, diskMegabytes.database),
    nats: nats.map((path) => mountDisk(path, diskMegabytes.nats)),
  };
}

/** The name that a host has while it is renamed. */
export function renameHost(host: string): string {
  return `renamed-${host}`;
}

export async function startTopology(
  name: TopologyName,
  folder: string,
  sandbox: Sandbox,
  load: LoadOptions,
  wireBefore: Wire | undefined,
): Promise<Topology> {
  const folders = makeFolders(folder, name.startsWith("nats"));
  const isSandbox = sandbox.obstacle === undefined;
  const disks = isSandbox ? mountDisks(folders) : undefined;
  const wire = wireBefore ?? (isSandbox ? createWire() : undefined);
  const listenOn = wire?.address ?? "127.0.0.1";
  const authority = createAuthority(folder);
  const { ca_file } = authority;

  const server = name.endsWith("influx") ? await prepareInflux(folder, folders.database) : undefined;
  const proxy = server === undefined ? undefined : await startFaultyProxy(server.url);
  const nats = name.startsWith("nats") ? await prepareNats(folder, folders.nats, listenOn) : [];
  const natsConfig = { servers: nats.map(({ address }) => `nats://${formatAddress(address)}`), insecure: true };
  const ours = { ca_file, ...authority.issue("collector", `IP:${listenOn}`) };
  const store = proxy === undefined ? { kind: "duckdb" } : { kind: "influxdb", url: proxy.url, timeout: "3s" };
  const dataDir = server === undefined ? join(folders.database, "data") : undefined;
  const startCollector = (collectorName: string) =>
    prepareCollector(folder, collectorName, listenOn, ours, {
      data_dir: dataDir ?? join(folder, collectorName),
      store,
      ...(nats.length === 0 ? {} : { nats: { ...natsConfig, stream: { replicas: 3, max_bytes: "128MiB" } } }),
    });
  const collectors = [await startCollector("collector-1")];
  if (name === "nats-influx") collectors.push(await startCollector("collector-2"));

  const deeds = join(folder, "deeds.journal");
  const journals = [deeds];
  const note = (record: JournalRecord): void => appendFileSync(deeds, `${JSON.stringify(record)}\n`);
  note({ k: "begin", at: Date.now() });
  const startHosts = (processName: string, hosts: readonly Naming[], spools: string): FleetProcess => {
    const journal = join(folder, `${processName}.journal`);
    journals.push(journal);
    const names = hosts.flatMap(({ host, storedAs = host }) => [host, storedAs, renameHost(host)]);
    const theirs = authority.issue(processName, [...new Set(names)].map((host) => `DNS:${host}`).join());
    const collector = { address: formatAddress(collectors[0].address), tls: { ca_file, ...theirs } };
    const link = nats.length === 0 ? { collector } : { link: "nats", nats: natsConfig };
    const options: FleetProcessOptions = { ...load, hosts, link, spools, journal, log: join(folder, `${processName}.log`) };
    return startFleetProcess(processName, options, wire?.prefix);
  };
  const fleet = Array.from({ length: load.processes }, (_, i) => {
    const hosts = Array.from({ length: load.hostsPerProcess }, (_, j) => ({ host: `host-${i}-${j}` }));
    return startHosts(`agents-${i}`, hosts, folders.spools);
  });
  const guests: FleetProcess[] = [];
  const startGuests = (hosts: readonly Naming[]): FleetProcess => {
    const guestName = `guests-${guests.length}`;
    const guest = startHosts(guestName, hosts, join(folder, guestName));
    guests.push(guest);
    return guest;
  };

  return {
    name,
    spools: folders.spools,
    dataDir,
    collectors,
    nats,
    influx: server?.influx,
    mendInfluxLog: server?.mendLog,
    proxy,
    fleet,
    startGuests,
    note,
    wire,
    disks,
    readJournals: () => journals.map(readJournal),
    async readStore(see) {
      for (const collector of collectors) await collector.stop();
      if (dataDir !== undefined) await readDuckDb(join(dataDir, "fleetmark.duckdb"), see);
      else if (server !== undefined) await readInflux(server.url, see);
    },
    async close() {
      await Promise.all([...fleet, ...guests].map((process) => process.kill()));
      await Promise.all([...collectors, ...nats].map((process) => process.kill()));
      await server?.influx.kill();
      proxy?.close();
      if (disks !== undefined) for (const disk of [disks.spool, disks.database, ...disks.nats]) disk.unmount();
    },
  };
}
