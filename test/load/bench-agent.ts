import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { listDescendants, makeFolder, startProgram } from "../testbed/program.js";

/**
 * Measures what an agent at rest costs its host: `fleetmark up` without a suite, telemetry at the default interval, a
 * collector that commits. `node test/run.mjs test/load/bench-agent.ts [SECONDS] [--json]`
 */
const seconds = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 60);
const json = process.argv.includes("--json");

/** What must be over before the agent is at rest: its start, the inventory, the first connection. Seconds. */
const settling = 15;
/** Ticks of /proc/PID/stat a second: USER_HZ, which is 100 on every Linux that Node.js runs on (proc(5)). */
const userHz = 100;

const goals = { rss_mb: 70, cpu_percent: 0.5 } as const;

interface Reading {
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly cpuS: number;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Resident memory of the processes that the agent keeps beside itself. */
async function readHelpersMb(pid: number): Promise<number> {
  const helpers = await listDescendants(pid);
  return sum(helpers.map((helper) => (existsSync(`/proc/${helper}/status`) ? read(helper).rssMb : 0)));
}

function read(pid: number): Reading {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const readMb = (field: string): number => (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024) / 1e6;
  // The name of the command may hold spaces, so fields count from its closing bracket: utime and stime are the 12th and
  // 13th after it, and the next two are those of processes that it began and that have ended, such as the ones that ask
  // file systems.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return { rssMb: readMb("VmRSS"), anonymousMb: readMb("RssAnon"), cpuS: sum(fields.slice(11, 15).map(Number)) / userHz };
}

async function findAgent(up: number): Promise<number> {
  for (const pid of await listDescendants(up)) {
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("agent")) return pid;
  }
  throw new Error("fleetmark up has no agent");
}

const folder = makeFolder();
const ports = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
const up = startProgram(["up", "--suite", "none", "--data", folder.path, ...ports]);
try {
  await up.waitFor(/collector: gRPC on/);
  const pid = await findAgent(up.process.pid as number);
  await delay(settling * 1000);
  const begin = read(pid);
  let peak = begin;
  for (let second = 0; second < seconds; second++) {
    await delay(1000);
    const now = read(pid);
    if (now.rssMb > peak.rssMb) peak = now;
  }
  const end = read(pid);
  const round = (value: number, digits: number): number => Number(value.toFixed(digits));
  const found = {
    seconds,
    rss_mb: round(end.rssMb, 1),
    rss_peak_mb: round(peak.rssMb, 1),
    helpers_mb: round(await readHelpersMb(pid), 1),
    rss_anonymous_mb: round(end.anonymousMb, 1),
    cpu_percent: round((100 * (end.cpuS - begin.cpuS)) / seconds, 3),
    goals,
  };
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else {
    process.stdout.write(`agent at rest, ${seconds} s at the default interval of 10 s\n`);
    process.stdout.write(
      `memory  ${found.rss_mb} MB resident (most ${found.rss_peak_mb}), of it ${found.rss_anonymous_mb} not shared\n`,
    );
    process.stdout.write(`helpers ${found.helpers_mb} MB resident\n`);
    process.stdout.write(`CPU     ${found.cpu_percent} % of a core, helpers included\n`);
    process.stdout.write(`goals   below ${goals.rss_mb} MB and ${goals.cpu_percent} %\n`);
  }
} finally {
  up.process.kill("SIGINT");
  await up.ended;
  folder.remove();
}
