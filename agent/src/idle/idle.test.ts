import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeTestFolder } from "../../test/folder.js";
import { createBlackoutSign } from "./blackout.js";
import { findCgroup, parseCgroups, slurmCgroups } from "./cgroups.js";
import { createGpuUse } from "./gpu-use.js";
import { createIdleWatch } from "./idle-watch.js";
import { createOtherCpuMeter, parseBusySeconds } from "./other-cpu.js";
import { parseTreeStat, readTreeCpu } from "./own-cpu.js";
import { createCommandSign, createFileSign, createMemorySign, createPressureSign, type Sign } from "./signs.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const roots = { proc: "/proc", sys: "/sys" };
const burn = "const t = Date.now(); while (Date.now() - t < 60000);";

function makeTree(files: Readonly<Record<string, string>>): { proc: string; sys: string; path: string } {
  const folder = makeTestFolder();
  cleanups.push(folder.remove);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, ".."), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  return { proc: join(folder.path, "proc"), sys: join(folder.path, "sys"), path: folder.path };
}

/** Starts a process that takes a core until the test ends, and does not come of this one: its parent has ended. */
function burnOutside(): void {
  const shell = `${process.execPath} -e '${burn}' & echo $!`;
  const child = spawn("/bin/sh", ["-c", `(${shell})`], { stdio: ["ignore", "pipe", "ignore"], detached: true });
  child.stdout.on("data", (data: Buffer) => cleanups.push(() => process.kill(Number(data.toString()), "SIGKILL")));
}

describe("CPU that other processes take", () => {
  it.runIf(process.platform === "linux")("is told from that of a tree of one's own", async () => {
    const parent = spawn("/bin/sh", ["-c", `${process.execPath} -e '${burn}'; true`], { stdio: "ignore", detached: true });
    cleanups.push(() => process.kill(-(parent.pid ?? 0), "SIGKILL"));
    const own = createOtherCpuMeter(roots, parent.pid ?? 0, () => performance.now());
    const all = createOtherCpuMeter(roots, 2 ** 22 + 1, () => performance.now());
    await delay(300);
    expect([await own.look(), await all.look()]).toEqual([undefined, undefined]);
    await delay(1500);
    const [others, everything] = [(await own.look()) ?? 0, (await all.look()) ?? 0];
    // Whatever else the machine does, the difference is what the tree took: most of a core, less where cores are rare.
    expect(everything - others).toBeGreaterThan(0.1);
    expect(everything - others).toBeLessThan(1.3);
    // Asked again at once, it says what it saw.
    expect(await own.look()).toBe(others);
  });

  it.runIf(process.platform === "linux")("of a tree goes on counting when a process of it has ended", async () => {
    const script = `${process.execPath} -e 'const t = Date.now(); while (Date.now() - t < 400);'; sleep 30`;
    const parent = spawn("/bin/sh", ["-c", script], { stdio: "ignore", detached: true });
    cleanups.push(() => process.kill(-(parent.pid ?? 0), "SIGKILL"));
    let last = 0;
    for (let i = 0; i < 15; i++) {
      await delay(100);
      const now = await readTreeCpu(roots, parent.pid ?? 0);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(last).toBeGreaterThan(0.1);
  });

  it("is found by parents where the kernel keeps no lists of children", async () => {
    const stat = (pid: number, parent: number, ticks: number): string =>
      `${pid} (a) b) S ${parent} 1 1 0 -1 0 0 0 0 0 ${ticks} 0 0 0 20 0 1 0`;
    const tree = makeTree({
      "proc/10/stat": stat(10, 1, 100),
      "proc/10/task/10/stat": "",
      "proc/11/stat": stat(11, 10, 200),
      "proc/11/task/11/stat": "",
      "proc/12/stat": stat(12, 1, 400),
      "proc/12/task/12/stat": "",
    });
    expect(await readTreeCpu(tree, 10)).toBe(3);
  });

  it("is nothing that any text of the kernel's files could break", () => {
    fc.assert(
      fc.property(fc.string(), (text) => parseTreeStat(text) === undefined || Number.isFinite(parseTreeStat(text)?.ticks)),
    );
    fc.assert(fc.property(fc.string(), (text) => Number.isFinite(parseBusySeconds(text) ?? 0)));
    expect(parseBusySeconds("cpu  100 0 50 9999 7 3 2 50 0 0\ncpu0 1 1")).toBe(1.55);
    expect(parseBusySeconds("cpu0 1 1 1 1 1 1 1")).toBeUndefined();
  });
});

describe("a sign of work", () => {
  it("is want of memory, as far as the kernel tells", async () => {
    const tree = makeTree({
      "proc/meminfo": "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:   80 kB\n",
      "proc/pressure/memory": "some avg10=7.50 avg60=1.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    });
    expect(await createMemorySign(tree, 10).look()).toContain("8.0 % of the memory is available");
    expect(await createMemorySign(tree, 8).look()).toBeUndefined();
    expect(await createPressureSign(tree, "memory", 5).look()).toContain("wait for memory 7.5 %");
    expect(await createPressureSign(tree, "cpu", 5).look()).toBeUndefined();
    expect(await createMemorySign(makeTree({ "proc/meminfo": "MemTotal: much\n" }), 10).look()).toBeUndefined();
  });

  it("is a file, for as long as it is there", async () => {
    const tree = makeTree({ lock: "" });
    const sign = createFileSign(join(tree.path, "lock"));
    expect(await sign.look()).toContain("is there");
    rmSync(join(tree.path, "lock"));
    expect(await sign.look()).toBeUndefined();
    expect(await createFileSign(join(tree.path, "lock", "below")).look()).toBeUndefined();
  });

  it("is a command that ends with anything but 0, or does not end", async () => {
    expect(await createCommandSign(["/bin/sh", "-c", "exit 0"]).look()).toBeUndefined();
    expect(await createCommandSign(["/bin/sh", "-c", "echo node is drained >&2; exit 3"]).look()).toContain("node is drained");
    expect(await createCommandSign(["/nowhere/squeue"]).look()).toContain("/nowhere/squeue");
  });

  it("is a job's control group, but not this process's own", () => {
    const tree = makeTree({
      "sys/fs/cgroup/system.slice/gpu1_slurmstepd.scope/job_4711/x": "",
      "sys/fs/cgroup/cpuset/slurm/uid_1000/job_5/x": "",
      "sys/fs/cgroup/user.slice/x": "",
    });
    const root = join(tree.sys, "fs/cgroup");
    const find = (own: string[]) => slurmCgroups.map((pattern) => findCgroup(root, pattern, own));
    expect(find(["/user.slice"])).toEqual([
      "system.slice/gpu1_slurmstepd.scope/job_4711",
      "cpuset/slurm/uid_1000/job_5",
      undefined,
    ]);
    expect(find(["/system.slice/gpu1_slurmstepd.scope/job_4711/step_0"])[0]).toBeUndefined();
    // Under v1 the kernel leaves the hierarchy's name out.
    expect(find(["/slurm/uid_1000/job_5/step_batch"])).toEqual([expect.stringContaining("job_4711"), undefined, undefined]);
    expect(find(["/elsewhere/slurm/uid_1000/job_5"])[1]).toBe("cpuset/slurm/uid_1000/job_5");
    expect(parseCgroups("0::/user.slice/a:b\n3:cpu:/\n")).toEqual(["/user.slice/a:b"]);
    expect(findCgroup("/nowhere", "a/b", [])).toBeUndefined();
  });

  it("is a card at work, for as long as that was seen of late", () => {
    const use = createGpuUse();
    const card = (index: string, fields: Record<string, number>) => ({
      measurement: "nvidia_smi",
      tags: { index },
      timeUs: 1e6,
      fields,
    });
    const most = { utilizationPercent: 10 };
    use.note([
      card("0", { utilization_gpu: 3, process_count: 0 }),
      { ...card("9", { utilization_gpu: 99 }), measurement: "cpu" },
    ]);
    expect(use.findBusy(2e6, most)).toBeUndefined();
    use.note([card("1", { utilization_gpu: 40 })]);
    expect(use.findBusy(2e6, most)).toBe("GPU 1 is 40 % busy");
    use.note([card("0", { utilization_gpu: 0, process_count: 2 })]);
    expect(use.findBusy(2e6, most)).toBe("GPU 0 has 2 processes");
    expect(use.findBusy(300e6, most)).toBeUndefined();
  });

  it("is a window that a person gave, from its begin to its end", async () => {
    let now = Date.parse("2026-11-27T21:59:59Z");
    const sign = createBlackoutSign({ cron: "0 22 * * FRI", timeZone: "UTC", lasts: 7200 }, () => now);
    expect(await sign.look()).toBeUndefined();
    for (const [time, isOver] of [
      ["22:00:00", false],
      ["23:59:59", false],
      ["23:59:59.999", false],
    ] as const) {
      now = Date.parse(`2026-11-27T${time}Z`);
      expect((await sign.look()) === undefined).toBe(isOver);
    }
    now = Date.parse("2026-11-28T00:00:00Z");
    expect(await sign.look()).toBeUndefined();
  });
});

describe("a host under watch", () => {
  const makeSign = (changes: Partial<Sign> & { see?: () => string | undefined } = {}): Sign => ({
    name: "s",
    isOwnToo: false,
    everyS: 0,
    look: async () => changes.see?.(),
    ...changes,
  });

  it("has work of its own when a sign is seen twice in a row, and says so once", async () => {
    const seen: (string | undefined)[] = ["a", undefined, "b", "c", "d"];
    const told: string[] = [];
    const stop = createIdleWatch([makeSign({ see: () => seen.shift() })], () => performance.now()).onBusy((why) =>
      told.push(why),
    );
    await vi.waitFor(() => expect(told).toEqual(["c"]), { timeout: 10_000 });
    await delay(1200);
    expect(told).toEqual(["c"]);
    stop();
  });

  it("is not judged by what a run gives itself, nor held up by what does not answer", async () => {
    const told: string[] = [];
    const hanging = makeSign({ look: () => new Promise(() => {}) });
    const own = makeSign({ isOwnToo: true, see: () => "pressure" });
    const watch = createIdleWatch([hanging, own, makeSign({ see: () => "work" })], () => performance.now());
    const begin = performance.now();
    const stop = watch.onBusy((why) => told.push(why));
    await vi.waitFor(() => expect(told).toEqual(["work"]), { timeout: 10_000 });
    expect(performance.now() - begin).toBeLessThan(5000);
    stop();
    expect(await createIdleWatch([own], () => performance.now()).findBusy()).toBe("pressure");
  });

  it("asks a costly sign no more often than it says", async () => {
    let asked = 0;
    let now = 0;
    const watch = createIdleWatch([makeSign({ everyS: 10, see: () => `${++asked}` })], () => now);
    expect([await watch.findBusy(), await watch.findBusy()]).toEqual(["1", "1"]);
    now = 10_000;
    expect(await watch.findBusy()).toBe("2");
  });

  it.runIf(process.platform === "linux")("has work where a process takes CPU that came of nobody here", async () => {
    const others = createOtherCpuMeter(roots, process.pid, () => performance.now());
    burnOutside();
    await delay(500);
    await others.look();
    await delay(1500);
    // Whatever else the machine does comes on top.
    expect((await others.look()) ?? 0).toBeGreaterThan(0.1);
  });
});
