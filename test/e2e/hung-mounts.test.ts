import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { startTestCollector, type TestCollector } from "../../agent/test/collector.js";
import { describeUnless } from "../testbed/needs.js";
import { fleetmarkBin, listDescendants, makeFolder } from "../testbed/program.js";
import { repositoryRoot } from "../testbed/repository-root.js";

const mounter = join(repositoryRoot, "test/testbed/mounts.py");

/** Whether file systems of FUSE can be mounted here, in a namespace that nobody else sees. */
function canMount(): boolean {
  if (process.getuid?.() !== 0 || !existsSync("/dev/fuse")) return false;
  const { path, remove } = makeFolder();
  // Nothing but the mount's process may touch the path: it would hang.
  const script = `python3 ${mounter} hung 1 ${path} & for i in $(seq 50); do
    grep -q " ${path}/m0 " /proc/self/mountinfo && found=1 && break; sleep 0.1; done; kill $!; test "$found"`;
  const options = { timeout: 20_000, killSignal: "SIGKILL" } as const;
  const { status } = spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], options);
  remove();
  return status === 0;
}

const obstacle = canMount() ? undefined : "mounting needs root, unshare, python3 and /dev/fuse";

interface TestAgent {
  readonly process: ChildProcess;
  readonly log: () => Record<string, unknown>[];
  readonly ended: Promise<number | null>;
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Starts an agent that sees the mounts, which nobody else does; they end with its process group. */
async function startAgent(mount: string): Promise<{ agent: TestAgent; collector: TestCollector; folder: string }> {
  const collector = await startTestCollector();
  const { path: folder, remove } = makeFolder();
  cleanups.push(remove, () => collector.kill());
  const flags = `--host h --collector-address 127.0.0.1:${collector.port} --telemetry-interval 1s --spool-dir ${folder}/spool`;
  const script = `(${mount}) > ${folder}/mounted 2>&1 &
    while ! grep -q mounted ${folder}/mounted; do sleep 0.05; done
    exec ${process.execPath} ${fleetmarkBin} agent ${flags}`;
  const child = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script.replaceAll("FOLDER", folder)], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  cleanups.push(() => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
  });
  const log = (): Record<string, unknown>[] =>
    stderr.split("\n").flatMap((line) => (line.startsWith("{") && line.endsWith("}") ? [JSON.parse(line)] : []));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { agent: { process: child, log, ended }, collector, folder };
}

/** The values of a field that the collector got, by one tag. */
function readValues(collector: TestCollector, measurement: string, field: string, tag: string): Map<string, number[]> {
  const values = new Map<string, number[]>();
  for (const { series, numbers } of collector.readBatches()) {
    for (const [i, index] of numbers.series.entries()) {
      const each = series[index];
      const name = each.tags[tag];
      if (each.measurement !== measurement || each.field !== field || name === undefined) continue;
      values.set(name, [...(values.get(name) ?? []), numbers.values[i]]);
    }
  }
  return values;
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 25_000, interval: 50 });

describeUnless(obstacle)("an agent beside file systems", () => {
  it.each([1, 4])("of which %d never answer goes on, says which, and stops within two seconds", async (hung) => {
    const { agent, collector, folder } = await startAgent(`python3 ${mounter} hung ${hung} FOLDER/mounts`);
    const paths = Array.from({ length: hung }, (_, i) => `${folder}/mounts/m${i}`);
    await eventually(() => {
      expect([...readValues(collector, "agent", "mount_hung", "path").keys()].sort()).toEqual(paths);
      expect(readValues(collector, "cpu", "usage_idle", "cpu").get("cpu-total")?.length).toBeGreaterThan(3);
    });
    expect([...readValues(collector, "agent", "mount_hung", "path").values()].flat()).not.toContain(0);
    const events = agent.log().filter(({ event }) => event === "mount_hung");
    expect(events.map(({ path }) => path).sort()).toEqual(paths);
    // All other probes kept their pace.
    const skipped = readValues(collector, "agent", "turns_skipped", "probe");
    expect([...skipped.keys()].filter((probe) => probe !== "disk")).toEqual([]);

    const begin = performance.now();
    process.kill(agent.process.pid as number, "SIGTERM");
    expect(await agent.ended).toBe(0);
    expect(performance.now() - begin).toBeLessThan(2000);
  });

  it("of which one counts in other units than its blocks tells its true size", async () => {
    const { collector, folder } = await startAgent(`python3 ${mounter} sized FOLDER/sized`);
    await eventually(() => expect(readValues(collector, "disk", "total", "path").get(`${folder}/sized`)?.[0]).toBe(104_857_600));
    expect(readValues(collector, "disk", "free", "path").get(`${folder}/sized`)?.[0]).toBe(52_428_800);
    expect(readValues(collector, "disk", "used_percent", "path").get(`${folder}/sized`)?.[0]).toBe(50);
  });

  it("of which one has a name of odd bytes tells its size, by a tag that can be stored", async () => {
    const name = "$(printf 'odd\\377 \\t\\n\\\\')";
    const { collector, folder } = await startAgent(`python3 ${mounter} sized "FOLDER/${name}"`);
    const tag = `${folder}/odd\\377 \\011\\012\\134`;
    await eventually(() => expect(readValues(collector, "disk", "total", "path").get(tag)?.[0]).toBe(104_857_600));
  });

  it("leaves no process that asks behind while they hang", async () => {
    const { agent, collector } = await startAgent(`python3 ${mounter} hung 2 FOLDER/mounts`);
    await eventually(() => expect(readValues(collector, "agent", "mount_hung", "path").size).toBe(2));
    const asking = async (): Promise<string[]> => {
      const pids = await listDescendants(agent.process.pid as number);
      return pids.flatMap((pid) => {
        const name = existsSync(`/proc/${pid}/comm`) ? readFileSync(`/proc/${pid}/comm`, "utf8").trim() : "";
        return name === "stat" ? [name] : [];
      });
    };
    await vi.waitFor(async () => expect(await asking()).toEqual([]), { timeout: 5000, interval: 20 });
  });
});
