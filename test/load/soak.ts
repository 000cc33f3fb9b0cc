import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { answers, type ManagedProcess, manageProcess } from "../testbed/managed-process.js";
import { fleetmarkBin } from "../testbed/program.js";
import { findFreePort } from "../testbed/servers.js";
import { startFleetProcess } from "./fleet.js";

/**
 * Lets a collector, an agent and fifty simulated hosts run for long, and watches the memory of the first two. The last
 * line on standard output is one JSON object with their means by quarter, and how far the last quarter's lies from the
 * second's: the first is for warming up.
 */

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } });
const minutes = Number(values.minutes);
const folder = mkdtempSync(join(tmpdir(), "fleetmark-soak-"));
const [port, httpPort] = [await findFreePort(), await findFreePort()];
const address = `127.0.0.1:${port}`;

function prepare(name: "agent" | "collector", config: object, isReady: () => Promise<boolean>): ManagedProcess {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(config));
  return manageProcess({
    name,
    command: [process.execPath, fleetmarkBin, name, "--config", file],
    log: join(folder, `${name}.log`),
    isReady,
  });
}

const http = `http://127.0.0.1:${httpPort}`;
const collectorConfig = {
  data_dir: join(folder, "data"),
  grpc: { listen: address },
  http: { listen: `127.0.0.1:${httpPort}` },
  log: { level: "error" },
};
const collector = prepare("collector", collectorConfig, () => answers(`${http}/readyz`));
const agentConfig = {
  host: "soaked",
  collector: { address },
  spool: { dir: join(folder, "agent") },
  telemetry: { interval: "1s" },
  log: { level: "error" },
};
const agent = prepare("agent", agentConfig, async () => (await (await fetch(`${http}/api/v1/hosts`)).text()).includes("soaked"));
const rssMb = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const cleanUp = async (): Promise<void> => {
  await Promise.all([collector.kill(), agent.kill(), fleet?.kill()]);
  rmSync(folder, { recursive: true, force: true });
};
let fleet: ReturnType<typeof startFleetProcess> | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void cleanUp().finally(() => process.exit(130)));

try {
  await collector.start();
  await agent.start();
  const spools = join(folder, "spools");
  mkdirSync(spools);
  const hosts = Array.from({ length: 50 }, (_, i) => ({ host: `host-${i}` }));
  const load = { seed: 1, shape: { groups: 5, fields: 10 }, intervalMs: 1000, hosts, link: { collector: { address } }, spools };
  fleet = startFleetProcess("fleet", { ...load, journal: "/dev/null", log: join(folder, "fleet.log") });
  const seen: { agent: number; collector: number }[] = [];
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) {
    await delay(Math.min(5000, end - performance.now()));
    seen.push({ agent: rssMb(agent.pid), collector: rssMb(collector.pid) });
    if (seen.length % 12 === 0) process.stderr.write(`${JSON.stringify(seen.at(-1))}\n`);
  }
  const round = (value: number): number => Math.round(10 * value) / 10;
  const describe = (name: "agent" | "collector") => {
    const quarters_mb = [0, 1, 2, 3].map((quarter) => {
      const part = seen.slice(Math.floor((seen.length * quarter) / 4), Math.floor((seen.length * (quarter + 1)) / 4));
      return round(part.reduce((sum, one) => sum + one[name], 0) / part.length);
    });
    const drift_percent = round(100 * (quarters_mb[3] / quarters_mb[1] - 1));
    return { quarters_mb, drift_percent, most_mb: Math.round(Math.max(...seen.map((one) => one[name]))) };
  };
  const acked = fleet.status()?.acked ?? 0;
  const crashes = [...collector.crashes, ...agent.crashes, ...fleet.crashes];
  process.stdout.write(
    `${JSON.stringify({ minutes, agent: describe("agent"), collector: describe("collector"), acked, crashes })}\n`,
  );
  process.exitCode = crashes.length === 0 ? 0 : 1;
} finally {
  await cleanUp();
}
