import { pino } from "pino";
import { beforeEach, expect, it, vi } from "vitest";
import type { Mount } from "../host/mountinfo.js";
import { createLocalStatfs } from "./local-statfs.js";
import { closeMountMeter, type MountMeter, type MountRound, measureMounts, mountLimits, openMountMeter } from "./mount-meter.js";
import type { SizesAnswer, StatTool } from "./stat-tool.js";

const size = { unit: 4096, blocks: 10, bfree: 5, bavail: 5, files: 0, ffree: 0 };
const mount = (path: string): Mount => ({ path, device: path, fstype: "nfs4", mode: "rw", isLocal: false });
const mounts = ["/a", "/b", "/c", "/d"].map(mount);

/** Paths by how they answer; all others do at once. */
let late: string[];
let failing: string[];
let asked: string[][];
let events: string[];
let nowMs: number;
let meter: MountMeter;

/** A tool that gives up at its deadline, as the runner does, without a wait. */
const tool: StatTool = {
  knowsUnits: true,
  canShare: ({ path }) => path !== "/odd",
  ask: async (given): Promise<SizesAnswer> => {
    const paths = given.map(({ path }) => path);
    asked.push(paths);
    if (paths.some((path) => late.includes(path))) return { state: "timed_out", reason: "no end within 2 s" };
    if (paths.some((path) => failing.includes(path))) return { state: "failed", reason: "not connected" };
    return { state: "ok", sizes: given.map(() => size) };
  },
};

/** Local file systems, which hang for good where they are late. */
const local = createLocalStatfs((async (path: Buffer) => {
  asked.push([`in place ${path}`]);
  return late.includes(path.toString()) ? new Promise(() => {}) : { ...size, bsize: 4096 };
}) as unknown as Parameters<typeof createLocalStatfs>[0]);

beforeEach(() => {
  [late, failing, asked, events, nowMs] = [[], [], [], [], 0];
  const write = (line: string): void => {
    const { event, path } = JSON.parse(line);
    events.push(`${event} ${path}`);
  };
  meter = openMountMeter({ local, tool, logger: pino({}, { write }), now: () => nowMs });
});

async function measure(given = mounts): Promise<{ round: MountRound; measured: string[]; asked: string[][] }> {
  asked = [];
  const round = await measureMounts(meter, given);
  return { round, measured: [...round.sizes.keys()].map(({ path }) => path), asked };
}

it("asks all that are well in one process", async () => {
  expect(await measure()).toMatchObject({ measured: ["/a", "/b", "/c", "/d"], asked: [["/a", "/b", "/c", "/d"]] });
  expect((await measure([mount("/odd"), ...mounts])).asked).toEqual([["/a", "/b", "/c", "/d"], ["/odd"]]);
  expect((await measure([])).asked).toEqual([]);
});

it("goes on without one that hangs, and asks it now and then until it answers", async () => {
  late = ["/b"];
  const first = await measure();
  expect(first.measured.sort()).toEqual(["/a", "/c", "/d"]);
  expect(first.round).toMatchObject({ hung: ["/b"], freed: [] });
  expect(events.splice(0)).toEqual(["mount_hung /b"]);

  expect(await measure()).toMatchObject({ asked: [["/a", "/c", "/d"]], round: { hung: ["/b"] } });
  nowMs += mountLimits.firstRetry * 1000;
  expect((await measure()).asked).toEqual([["/a", "/c", "/d"], ["/b"]]);
  nowMs += mountLimits.firstRetry * 1000;
  expect((await measure()).asked).toEqual([["/a", "/c", "/d"]]);
  expect(events).toEqual([]);

  late = [];
  nowMs += mountLimits.firstRetry * 1000;
  expect(await measure()).toMatchObject({ round: { hung: [], freed: ["/b"] } });
  expect(events.splice(0)).toEqual(["mount_recovered /b"]);
  expect(await measure()).toMatchObject({ measured: ["/a", "/b", "/c", "/d"], round: { hung: [], freed: [] } });
});

it("waits ever longer, but no longer than the longest wait", async () => {
  late = ["/b"];
  let tries = 0;
  for (let second = 0; second < 3600; second++) {
    nowMs += 1000;
    tries += (await measure()).asked.filter(([path]) => path === "/b").length;
  }
  expect(tries).toBeGreaterThan(3600 / mountLimits.longestRetry);
  expect(tries).toBeLessThan(20);
});

it("lets the well wait for no more of the sick than can be asked at once", async () => {
  const many = Array.from({ length: 30 }, (_, i) => mount(`/dead${i}`));
  late = many.map(({ path }) => path);
  await measure([...many, ...mounts]);
  const askedAgain = new Set<string>();
  for (let round = 0; round < 8; round++) {
    nowMs += 10_000;
    const again = (await measure([...many, ...mounts])).asked.slice(1);
    expect(again.length).toBeLessThanOrEqual(mountLimits.beside);
    for (const [path] of again) askedAgain.add(path);
  }
  expect(askedAgain.size).toBe(many.length);
});

it("tells a file system that fails from one that hangs", async () => {
  failing = ["/c"];
  expect(await measure()).toMatchObject({ round: { hung: [], freed: [] } });
  expect(events.splice(0)).toEqual(["mount_failed /c"]);
  [failing, late] = [[], ["/c"]];
  nowMs += 1e6;
  expect(await measure()).toMatchObject({ round: { hung: ["/c"] } });
  expect(events.splice(0)).toEqual(["mount_hung /c"]);
});

it("forgets what is no longer mounted", async () => {
  late = ["/b"];
  await measure();
  expect(await measure(mounts.filter(({ path }) => path !== "/b"))).toMatchObject({ round: { hung: [], freed: ["/b"] } });
  expect(meter.sick.size).toBe(0);
});

it("asks local file systems in place, until one of them hangs after all", async () => {
  const locals = mounts.map((each) => ({ ...each, isLocal: true }));
  const inPlace = ["/a", "/b", "/c", "/d"].map((path) => [`in place ${path}`]);
  expect(await measure(locals)).toMatchObject({ measured: ["/a", "/b", "/c", "/d"], asked: inPlace });
  late = ["/b"];
  vi.useFakeTimers();
  const measuring = measure(locals);
  await vi.advanceTimersByTimeAsync(mountLimits.deadline * 1000);
  expect((await measuring).round.hung).toEqual(["/b"]);
  vi.useRealTimers();
  expect(asked).toEqual([["in place /a"], ["in place /b"], ["/c", "/d"]]);
  expect((await measure(locals)).asked).toEqual([["/a", "/c", "/d"]]);
});

it("asks no more once it is closed", async () => {
  late = mounts.map(({ path }) => path);
  closeMountMeter(meter);
  expect((await measure()).asked.length).toBe(1);
  expect(events).toEqual([]);
});
