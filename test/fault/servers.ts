import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsFiles } from "@fleetmark/shared/config/tls";
import type { Address } from "@fleetmark/shared/model/units";
import { answers, type ManagedProcess, manageProcess } from "../testbed/managed-process.js";
import { fleetmarkBin } from "../testbed/program.js";
import { askInflux, findFreePort, findServer } from "../testbed/servers.js";

/** Gives a process more members; its own stay live. */
function addTo<T extends object>(process: ManagedProcess, members: T): ManagedProcess & T {
  return Object.defineProperties({ ...members }, Object.getOwnPropertyDescriptors(process)) as ManagedProcess & T;
}

/** A node of a NATS cluster. */
export interface NatsNode extends ManagedProcess {
  /** Where clients connect. */
  readonly address: Address;
  /** Its monitoring over HTTP. */
  readonly monitor: string;
}

export interface InfluxServer {
  readonly influx: ManagedProcess;
  readonly url: string;
  /**
   * Starts it, while it is down, where nobody finds it, and ends it: so it cuts off what is torn at the end of its log.
   * InfluxDB 1.6 opens the log for appending before it cuts: what it takes in the same run lies behind a gap, and is
   * gone after the next kill although it was acknowledged.
   */
  mendLog(): Promise<void>;
}

export async function prepareInflux(folder: string, data: string): Promise<InfluxServer> {
  const otherPort = await findFreePort();
  const prepare = (name: string, port: number): ManagedProcess =>
    manageProcess({
      name,
      command: [findServer("influxd") ?? "influxd", "run"],
      environment: {
        INFLUXDB_META_DIR: join(data, "meta"),
        INFLUXDB_DATA_DIR: join(data, "data"),
        INFLUXDB_DATA_WAL_DIR: join(data, "wal"),
        INFLUXDB_DATA_QUERY_LOG_ENABLED: "false",
        INFLUXDB_HTTP_LOG_ENABLED: "false",
        INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${port}`,
        INFLUXDB_BIND_ADDRESS: `127.0.0.1:${otherPort}`,
        INFLUXDB_REPORTING_DISABLED: "true",
        INFLUXDB_MONITOR_STORE_ENABLED: "false",
      },
      log: join(folder, "influxd.log"),
      isReady: () => answers(`http://127.0.0.1:${port}/ping`),
    });
  const port = await findFreePort();
  const influx = prepare("influxd", port);
  const url = `http://127.0.0.1:${port}`;
  await influx.start();
  await askInflux(url, "CREATE DATABASE fleetmark");
  const mendLog = async (): Promise<void> => {
    const hidden = prepare("influxd, hidden", await findFreePort());
    try {
      await hidden.start();
    } finally {
      await hidden.kill();
    }
  };
  return { influx, url, mendLog };
}

/**
 * Starts a cluster, each node on a disk of its own. Clients connect at `listenOn`, the nodes to each other over
 * loopback.
 */
export async function prepareNats(folder: string, disks: readonly string[], listenOn: string): Promise<NatsNode[]> {
  const ports = await Promise.all(disks.map(async () => [await findFreePort(), await findFreePort(), await findFreePort()]));
  const routes = ports.map(([, route]) => `nats://127.0.0.1:${route}`).join(", ");
  const nodes = disks.map((disk, i): NatsNode => {
    const [port, route, monitorPort] = ports[i];
    const name = `nats-${i + 1}`;
    const monitor = `http://127.0.0.1:${monitorPort}`;
    const file = join(folder, `${name}.conf`);
    const lines = [
      `server_name: ${name}`,
      `listen: "${listenOn}:${port}"`,
      `http: "127.0.0.1:${monitorPort}"`,
      `jetstream { store_dir: ${JSON.stringify(disk)}, max_mem: 64MB, max_file: 250MB }`,
      `cluster { name: test, listen: "127.0.0.1:${route}", routes: [${routes}] }`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const process = manageProcess({
      name,
      command: [findServer("nats-server") ?? "nats-server", "-c", file],
      log: join(folder, `${name}.log`),
      // Healthy is only one that is in step with the cluster, which a single node of three is not; that it listens is
      // enough.
      isReady: () => answers(`${monitor}/varz`),
    });
    return addTo(process, { address: { host: listenOn, port }, monitor });
  });
  await Promise.all(nodes.map((node) => node.start()));
  return nodes;
}

/** The node that leads the stream, as far as one can tell. */
export async function findStreamLeader(nodes: readonly NatsNode[]): Promise<NatsNode | undefined> {
  interface Answer {
    readonly account_details?: { readonly stream_detail?: { readonly cluster?: { readonly leader?: string } }[] }[];
  }
  for (const node of nodes) {
    try {
      const answer = await fetch(`${node.monitor}/jsz?accounts=true&streams=true`, { signal: AbortSignal.timeout(1000) });
      const { account_details } = (await answer.json()) as Answer;
      const leader = account_details?.flatMap(({ stream_detail }) => stream_detail ?? [])[0]?.cluster?.leader;
      const found = nodes.find(({ name }) => name === leader);
      if (found !== undefined) return found;
    } catch {
      // Another may know.
    }
  }
  return undefined;
}

/** A collector, whose clock can be set. */
export interface Collector extends ManagedProcess {
  /** Where agents connect. */
  readonly address: Address;
  /** Its HTTP API. */
  readonly http: string;
  /** Puts its clock ahead of the machine's by so much, or behind. */
  setClock(seconds: number): void;
}

/** Lets a process have a clock of its own; see set-clock.ts. */
const clockModule = new URL("set-clock.js", import.meta.url).href;

export async function prepareCollector(
  folder: string,
  name: string,
  listenOn: string,
  tls: TlsFiles,
  config: object,
): Promise<Collector> {
  const [port, httpPort] = [await findFreePort(), await findFreePort()];
  const file = join(folder, `${name}.json`);
  const listening = { grpc: { listen: `${listenOn}:${port}`, tls }, http: { listen: `127.0.0.1:${httpPort}` } };
  const common = { name, log: { level: "info" }, limits: { time_ahead: "2h" } };
  writeFileSync(file, JSON.stringify({ ...common, ...listening, ...config }));
  const clockFile = join(folder, `${name}.clock`);
  const setClock = (seconds: number): void => writeFileSync(clockFile, String(seconds));
  setClock(0);
  const managed = manageProcess({
    name,
    environment: { NODE_OPTIONS: `--import=${clockModule}`, SET_CLOCK_FILE: clockFile },
    command: [process.execPath, fleetmarkBin, "collector", "--config", file],
    log: join(folder, `${name}.log`),
    isReady: () => answers(`http://127.0.0.1:${httpPort}/healthz`),
  });
  await managed.start();
  return addTo(managed, { address: { host: listenOn, port }, http: `http://127.0.0.1:${httpPort}`, setClock });
}
