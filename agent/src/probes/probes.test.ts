import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkSeries, type Point } from "@fleetmark/shared/model/series";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Roots } from "../host/host-file.js";
import { measureRequests } from "./diskio.js";
import type { OpenProbe, Probe } from "./probe.js";
import { probes } from "./registry.js";

// A host of two cores with one disk of two partitions, as the kernel writes it (Debian 12, Linux 6.1).
const files: Readonly<Record<string, string>> = {
  "proc/stat": `cpu  2000 100 500 7000 300 20 30 50 400 40
cpu0 1000 50 250 3500 150 10 15 25 200 20
cpu1 1000 50 250 3500 150 10 15 25 200 20
intr 379976 0 0 25
ctxt 1103756
btime 1795491691
softirq 177540 0 21699 4
`,
  "proc/meminfo": `MemTotal:       16000000 kB
MemFree:         4000000 kB
MemAvailable:   10000000 kB
Buffers:         1000000 kB
Cached:          5000000 kB
Dirty:               656 kB
Active(anon):       1536 kB
SReclaimable:     500000 kB
HugePages_Total:       3
Hugepagesize:       2048 kB
`,
  "proc/diskstats": `   7       0 loop0 9 0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 39057 8953 3449850 11097 10671 54978 4621496 10336 2 5728 22458 19926 54 1615720 1010 449 14
 259       1 nvme0n1p1 39000 8953 3449850 11097 10671 54978 4621496 10336 0 5728 22458
   8       0 sda 10 1 80 5 20 2 160 6 0 11 12
   8       1 sda1 10 1 80 5 20 2 160 6 0 11 12
`,
  "proc/net/dev": `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 494878565   13792    1    2    0     0          0         0   982304    8161    3    4    0     0       0          0
eth0:1:     100       2    0    0    0     0          0         0      200       3    0    0    0     0       0          0
  eth1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`,
  "proc/loadavg": "0.52 0.58 0.59 2/512 12345\n",
  "proc/uptime": "35047.77 69000.12\n",
  "proc/pressure/cpu":
    "some avg10=1.53 avg60=0.87 avg300=0.73 total=1088168194\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=10\n",
  "proc/pressure/io":
    "some avg10=0.00 avg60=0.10 avg300=0.02 total=3167642\nfull avg10=0.00 avg60=0.05 avg300=0.01 total=2740314\n",
  "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0-1\n",
  "sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "0-1\n",
  "sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0\n",
  "sys/class/net/eth0/speed": "1000\n",
  "sys/class/net/lo/flags": "0x9\n",
  "sys/class/net/eth0/flags": "0x1003\n",
  "sys/class/net/eth1/flags": "0x1002\n",
};

let directory: string;
let roots: Roots;

function writeTree(tree: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fleetmark-probes-"));
  roots = { proc: join(directory, "proc"), sys: join(directory, "sys") };
  // statfs is asked for real, so the one mount is a real directory.
  const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / ${directory} ro,relatime shared:1 - ext4 /dev/vda rw,discard
28 27 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=4k
`;
  writeTree({ ...files, "proc/self/mountinfo": mountinfo });
});

afterEach(() => {
  for (const probe of opened.splice(0)) probe.close();
  rmSync(directory, { recursive: true });
});

function findProbe(name: string): Probe {
  const probe = probes.find((candidate) => candidate.name === name);
  if (probe === undefined) throw new Error(`no probe ${name}`);
  return probe;
}

const opened: OpenProbe[] = [];
const logger = pino({ level: "silent" });

function openSample(name: string, given = roots): OpenProbe["sample"] {
  const probe = findProbe(name).open({ roots: given, logger });
  opened.push(probe);
  return probe.sample;
}

const roundFields = (point: Point): Record<string, number> =>
  Object.fromEntries(Object.entries(point.fields).map(([field, value]) => [field, Math.round(Number(value) * 1e4) / 1e4]));

async function sampleOnce(name: string): Promise<Point[]> {
  return openSample(name)(1_000_000);
}

describe("on a host's files", () => {
  test("cpu gives percent between two samples, guests' time taken off the users'", async () => {
    const sample = openSample("cpu");
    expect(await sample(1)).toEqual([]);
    writeTree({
      "proc/stat": `cpu  2050 110 520 7100 305 21 32 52 410 41
cpu0 1050 60 270 3600 149 11 17 27 210 21
cpu1 1000 50 250 3500 150 10 15 25 200 20
`,
    });
    const points = await sample(10_000_001);
    // cpu1 stood still, so it has no percentages.
    expect(points.map(({ tags, timeUs }) => [tags.cpu, timeUs])).toEqual([
      ["cpu-total", 10_000_001],
      ["cpu0", 10_000_001],
    ]);
    const total = 50 + 10 + 20 + 100 + 5 + 1 + 2 + 2;
    const percent = (ticks: number): number => Math.round((1e6 * ticks) / total) / 1e4;
    expect(roundFields(points[0])).toEqual({
      usage_user: percent(40),
      usage_system: percent(20),
      usage_idle: percent(100),
      usage_nice: percent(9),
      usage_iowait: percent(5),
      usage_irq: percent(1),
      usage_softirq: percent(2),
      usage_steal: percent(2),
      usage_guest: percent(10),
      usage_guest_nice: percent(1),
    });
    // cpu0's iowait went back by one tick, which the kernel allows.
    expect(points[1].fields.usage_iowait).toBe(0);
  });

  test("cpu gives nothing for an interval in which the counters began again", async () => {
    const sample = openSample("cpu");
    await sample(1);
    writeTree({ "proc/stat": "cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n" });
    expect(await sample(2)).toEqual([]);
    writeTree({ "proc/stat": "cpu  1 1 1 2 1 1 1 1 1 1\n" });
    expect((await sample(3)).map(({ fields }) => fields.usage_idle)).toEqual([100]);
  });

  test("mem", async () => {
    const [{ measurement, tags, fields }] = await sampleOnce("mem");
    const kB = 1024;
    expect([measurement, tags]).toEqual(["mem", {}]);
    expect(fields).toEqual({
      total: 16_000_000 * kB,
      free: 4_000_000 * kB,
      available: 10_000_000 * kB,
      available_percent: 62.5,
      buffered: 1_000_000 * kB,
      cached: 5_500_000 * kB,
      used: 6_000_000 * kB,
      used_percent: 37.5,
      high_free: 0,
      high_total: 0,
      low_free: 0,
      low_total: 0,
      dirty: 656 * kB,
      sreclaimable: 500_000 * kB,
      huge_pages_total: 3,
      huge_page_size: 2048 * kB,
    });
  });

  test("disk measures file systems with space of their own", async () => {
    const [point, ...others] = await sampleOnce("disk");
    expect(others).toEqual([]);
    expect(point.tags).toEqual({ path: directory, device: "vda", fstype: "ext4", mode: "ro" });
    const { total, free, used, used_percent, inodes_total, inodes_free, inodes_used } = roundFields(point);
    expect(total).toBeGreaterThan(0);
    expect(used + free).toBeLessThanOrEqual(total);
    expect(used_percent).toBeCloseTo((100 * used) / (used + free), 3);
    expect(inodes_used + inodes_free).toBe(inodes_total);
  });

  test("diskio gives whole devices, sectors as bytes", async () => {
    const points = await sampleOnce("diskio");
    expect(points.map(({ tags }) => tags.name)).toEqual(["nvme0n1", "sda"]);
    expect(points[0].fields).toEqual({
      reads: 39_057,
      merged_reads: 8953,
      read_bytes: 3_449_850 * 512,
      read_time: 11_097,
      writes: 10_671,
      merged_writes: 54_978,
      write_bytes: 4_621_496 * 512,
      write_time: 10_336,
      iops_in_progress: 2,
      io_time: 5728,
      weighted_io_time: 22_458,
    });
  });

  test("net gives interfaces that are up, without loopback", async () => {
    const points = await sampleOnce("net");
    expect(points.map(({ tags }) => tags.interface)).toEqual(["eth0", "eth0:1"]);
    expect(points[0].fields).toEqual({
      bytes_recv: 494_878_565,
      packets_recv: 13_792,
      err_in: 1,
      drop_in: 2,
      bytes_sent: 982_304,
      packets_sent: 8161,
      err_out: 3,
      drop_out: 4,
      speed: 1000,
    });
    expect(points[1].fields.speed).toBe(-1);
  });

  test("diskio tells between two samples how long requests took and how busy a device was", () => {
    const before = { reads: 10, writes: 20, read_time: 100, write_time: 300, io_time: 50 };
    const after = { reads: 14, writes: 26, read_time: 120, write_time: 380, io_time: 150 };
    expect(measureRequests(before, after, 1000)).toEqual({ io_await: 10, io_svctm: 10, io_util: 10 });
    expect(measureRequests(before, before, 1000)).toEqual({ io_util: 0 });
    expect([measureRequests(after, before, 1000), measureRequests(before, after, 0)]).toEqual([{}, {}]);
  });

  test("system", async () => {
    const [{ fields }] = await sampleOnce("system");
    expect(fields).toEqual({ load1: 0.52, load5: 0.58, load15: 0.59, n_cpus: 2, n_physical_cpus: 1, uptime: 35_047 });
  });

  test("pressure", async () => {
    const points = await sampleOnce("pressure");
    expect(points.length).toBe(6);
    expect(points[0]).toEqual({
      measurement: "pressure",
      tags: { resource: "cpu", type: "some" },
      timeUs: 1_000_000,
      fields: { avg10: 1.53, avg60: 0.87, avg300: 0.73, total: 1_088_168_194 },
    });
  });
});

test("pressure tells what is there where a file is missing or has no content", async () => {
  rmSync(join(directory, "proc/pressure/memory"));
  writeTree({ "proc/pressure/io": "" });
  expect((await sampleOnce("pressure")).map(({ tags }) => tags.resource)).toEqual(["cpu", "cpu"]);
});

/** Those that read the kernel's files, and ask no tool. */
const fileProbes = probes.map(({ name }) => name).filter((name) => name !== "nvidia_smi");

test.each(fileProbes)("%s survives files of any bytes", async (name) => {
  for (const path of Object.keys(files)) writeFileSync(join(directory, path), Buffer.from([0xff, 0x00, 0x20, 0x0a, 0xc3, 0x28]));
  writeFileSync(join(directory, "proc/self/mountinfo"), Buffer.from([0xff, 0x20, 0x2d, 0x20, 0xfe]));
  // It finds nothing, or says what is wrong.
  await sampleOnce(name).then(
    (points) => expect(points).toEqual([]),
    (thrown) => expect(thrown).toMatchObject({ code: "PROBE_FAILED" }),
  );
});

test.each(fileProbes)("%s survives empty files", async (name) => {
  for (const path of [...Object.keys(files), "proc/self/mountinfo"]) writeTree({ [path]: "" });
  await sampleOnce(name).then(
    (points) => expect(points).toEqual([]),
    (thrown) => expect(thrown).toMatchObject({ code: "PROBE_FAILED" }),
  );
});

test("net and diskio give names that are no UTF-8 tags that can be stored", async () => {
  const name = Buffer.from([0x65, 0xff, 0x5c]);
  const counts = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  writeFileSync(join(directory, "proc/net/dev"), Buffer.concat([name, Buffer.from(`:${counts}`)]));
  writeFileSync(join(directory, "proc/diskstats"), Buffer.concat([Buffer.from("8 0 "), name, Buffer.from(counts)]));
  expect((await sampleOnce("net"))[0].tags).toEqual({ interface: "e\\377\\134" });
  expect((await sampleOnce("diskio"))[0].tags).toEqual({ name: "e\\377\\134" });
});

test.each(["cpu", "mem", "disk", "system"])("%s says so when its file is not what the kernel documents", async (name) => {
  for (const path of ["stat", "meminfo", "self/mountinfo", "loadavg"]) writeTree({ [`proc/${path}`]: "nonsense\n" });
  await expect(sampleOnce(name)).rejects.toMatchObject({ code: "PROBE_FAILED" });
});

test.each(fileProbes)("%s throws ENOENT on a host without its file", async (name) => {
  rmSync(join(directory, "proc"), { recursive: true });
  await expect(sampleOnce(name)).rejects.toMatchObject({ code: "ENOENT" });
});

test.each(fileProbes)("%s gives points that can be stored on this very host", async (name) => {
  const sample = openSample(name, { proc: "/proc", sys: "/sys" });
  await sample(1);
  // The cpu probe has nothing to say until the kernel's clock has ticked.
  let points = await sample(2);
  for (let i = 0; name === "cpu" && points.length === 0 && i < 1e6; i++) points = await sample(2);
  if (name !== "pressure" && name !== "net" && name !== "disk" && name !== "diskio") expect(points.length).toBeGreaterThan(0);
  for (const { measurement, tags, fields } of points) {
    for (const [field, value] of Object.entries(fields)) {
      checkSeries({ measurement, tags, field });
      expect(Number.isFinite(value)).toBe(true);
      expect(value).toBeGreaterThanOrEqual(field === "speed" ? -1 : 0);
    }
  }
});
