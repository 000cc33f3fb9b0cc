import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeFolder } from "./program.js";
import { repositoryRoot } from "./repository-root.js";

/** Where `make servers` unpacks what the machine itself does not have. */
const unpacked = ["usr/bin", "usr/sbin"].map((folder) => join(repositoryRoot, ".servers", folder));

/** Finds a server's program; undefined where it is not installed. */
export function findServer(name: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...unpacked]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/**
 * What a program of an unpacked package is started by, so that it finds the package's files where it looks for them: in
 * a mount namespace of its own, where they lie over this machine's.
 */
function describeShared(path: string, args: readonly string[]): [string, string[]] {
  const share = join(repositoryRoot, ".servers", "usr", "share");
  if (!path.startsWith(join(repositoryRoot, ".servers"))) return [path, [...args]];
  const script = 'mount -t overlay overlay -o "lowerdir=$0:/usr/share" /usr/share && exec "$@"';
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  return ["unshare", ["--mount", "--propagation", "private", ...asRoot, "sh", "-c", script, share, path, ...args]];
}

/** Says why a program that is here can't have its package's files; undefined when it can. */
export function findShareObstacle(program: string): string | undefined {
  const path = findServer(program);
  if (path === undefined) return undefined;
  const [command, args] = describeShared(path, ["--version"]);
  const { status } = spawnSync(command, args, { stdio: "ignore", timeout: 10_000 });
  return status === 0 ? undefined : `${program} was unpacked, and its files can't be laid over /usr/share here`;
}

/** Returns a port that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** A real server in a folder of its own. */
export interface Server {
  readonly url: string;
  /** A second port that was given to it. */
  readonly otherPort: number;
  /** The process that serves now. */
  pid(): number;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>;
  /** Ends it and takes its folder away. */
  remove(): Promise<void>;
}

export interface Recipe {
  readonly program: string;
  /** Whether it reads files of its package, too. */
  readonly readsShare?: true;
  readonly args: (folder: string, port: number, otherPort: number) => string[];
  readonly environment: (folder: string, port: number, otherPort: number) => Record<string, string>;
  /** Path that answers with success once the server serves. */
  readonly health: string;
}

const startWithinMs = 30_000;

/** Starts a server that tells over HTTP when it serves. */
export async function startServer(recipe: Recipe): Promise<Server> {
  const path = findServer(recipe.program);
  if (path === undefined) throw new Error(`${recipe.program} is not installed`);
  const folder = makeFolder();
  const [port, otherPort] = [await findFreePort(), await findFreePort()];
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const environment = { ...process.env, ...recipe.environment(folder.path, port, otherPort) };
    const args = recipe.args(folder.path, port, otherPort);
    child = spawn(...(recipe.readsShare ? describeShared(path, args) : ([path, args] as const)), {
      env: environment,
      stdio: "ignore",
    });
    const deadline = Date.now() + startWithinMs;
    while (
      !(await fetch(url + recipe.health).then(
        (answer) => answer.ok,
        () => false,
      ))
    ) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${recipe.program} did not start`);
      await delay(50);
    }
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  await start();
  return {
    url,
    otherPort,
    pid: () => child?.pid as number,
    kill,
    restart: start,
    remove: async () => {
      await kill();
      rmSync(folder.path, { recursive: true, force: true });
    },
  };
}

/** Starts InfluxDB 1.x. */
export function startInflux({ auth = false } = {}): Promise<Server> {
  return startServer({
    program: "influxd",
    args: () => ["run"],
    environment: (folder, port, otherPort) => ({
      INFLUXDB_META_DIR: join(folder, "meta"),
      INFLUXDB_DATA_DIR: join(folder, "data"),
      INFLUXDB_DATA_WAL_DIR: join(folder, "wal"),
      INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${port}`,
      INFLUXDB_BIND_ADDRESS: `127.0.0.1:${otherPort}`,
      INFLUXDB_HTTP_AUTH_ENABLED: String(auth),
      INFLUXDB_REPORTING_DISABLED: "true",
      INFLUXDB_MONITOR_STORE_ENABLED: "false",
    }),
    health: "/ping",
  });
}

/** Starts VictoriaMetrics, which takes InfluxDB's /api/v2/write. */
export function startVictoriaMetrics(): Promise<Server> {
  return startServer({
    program: "victoria-metrics",
    args: (folder, port) => [`-storageDataPath=${folder}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=100y"],
    environment: () => ({}),
    health: "/health",
  });
}

/** Starts Prometheus' Alertmanager, which keeps to itself and tells nobody. */
export function startAlertmanager(): Promise<Server> {
  return startServer({
    program: "prometheus-alertmanager",
    readsShare: true,
    args: (folder, port) => {
      const config = join(folder, "alertmanager.yaml");
      writeFileSync(config, "route: { receiver: none }\nreceivers: [{ name: none }]\n");
      const listen = [`--web.listen-address=127.0.0.1:${port}`, "--cluster.listen-address="];
      return [`--config.file=${config}`, `--storage.path=${join(folder, "data")}`, ...listen];
    },
    environment: () => ({}),
    health: "/-/ready",
  });
}

/** Asks a server of InfluxDB 1.x something as its administrator, such as to create a database. */
export async function askInflux(url: string, influxql: string, user = ""): Promise<unknown> {
  const headers: Record<string, string> = user === "" ? {} : { authorization: `Basic ${Buffer.from(user).toString("base64")}` };
  const answer = await fetch(`${url}/query?db=fleetmark&epoch=u`, {
    method: "POST",
    body: new URLSearchParams({ q: influxql }),
    headers,
  });
  return answer.json();
}

/**
 * Drops what the default policy of InfluxDB 1.x no longer keeps, as the server's own sweep does when it comes round.
 * Returns how many shards.
 */
export async function dropExpiredShards(url: string, database: string): Promise<number> {
  const { results } = (await askInflux(url, "SHOW SHARDS")) as { results: { series: { name: string; values: unknown[][] }[] }[] };
  const shards = results[0].series.find(({ name }) => name === database)?.values ?? [];
  const expired = shards.filter((row) => row[2] === "autogen" && Date.parse(String(row[6])) < Date.now());
  for (const [id] of expired) await askInflux(url, `DROP SHARD ${id}`);
  return expired.length;
}
