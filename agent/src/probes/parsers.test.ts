import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMounts } from "../host/mountinfo.js";
import { cpuUsage, parseCpuTimes } from "./cpu.js";
import { diskFields } from "./disk.js";
import { parseDiskstats } from "./diskio.js";
import { memFields, parseMeminfo } from "./mem.js";
import { parseNetDev } from "./net.js";
import { parsePressure } from "./pressure.js";
import { parseSystem } from "./system.js";

/** Text out of what the kernel's files are made of, and plain noise. */
const words = [
  "cpu",
  "cpu0",
  "cpu1",
  "MemTotal:",
  "MemFree:",
  "Cached:",
  "kB",
  "lo:",
  "eth0:",
  "8",
  "0",
  "sda",
  "loop0",
  "-",
  " - ",
];
const numbers = [
  "-1",
  "18446744073709551615",
  "9".repeat(400),
  "1e9",
  "0.5",
  "NaN",
  "some",
  "avg10=0.00",
  "total=5",
  "/",
  "/mnt",
];
const word = fc.oneof(fc.constantFrom(...words, ...numbers), fc.string({ maxLength: 6 }), fc.maxSafeNat().map(String));
const line = fc.array(word, { maxLength: 16 }).map((parts) => parts.join(" "));
const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.array(line, { maxLength: 8 }).map((lines) => lines.join("\n")),
);

function expectFields(fields: Record<string, number> | undefined): void {
  for (const value of Object.values(fields ?? {})) {
    expect(Number.isFinite(value)).toBe(true);
    expect(value).toBeGreaterThanOrEqual(0);
  }
}

const parsers: readonly [string, (given: string) => Iterable<Record<string, number> | undefined>][] = [
  ["diskstats", (given) => parseDiskstats(given).values()],
  ["net/dev", (given) => parseNetDev(given).values()],
  ["pressure", (given) => parsePressure(given).values()],
  ["meminfo", (given) => [memFields(parseMeminfo(given))]],
  ["system", (given) => [parseSystem(given, given, given)]],
  ["stat", (given) => parseCpuTimes(given).values()],
];

test.each(parsers)("the parser of %s survives any text with finite, non-negative values", (_, parse) => {
  fc.assert(
    fc.property(text, (given) => {
      for (const fields of parse(given)) expectFields(fields);
    }),
  );
});

test("the parser of mountinfo survives any text", () => {
  fc.assert(
    fc.property(text, (given) => {
      for (const { path, device, fstype } of parseMounts(given)) expect([path, device, fstype]).not.toContain(undefined);
    }),
  );
});

test("cpu percentages of any two readings lie between 0 and 100, and add up to at most 100", () => {
  const row = fc.array(fc.nat({ max: 1e6 }), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(row, row, (first, second) => {
      const [before, now] = [first, second].map((counts) => parseCpuTimes(`cpu ${counts.join(" ")}`).get("cpu-total"));
      if (before === undefined || now === undefined) throw new Error("a whole line was not read");
      const usage = cpuUsage(before, now);
      expectFields(usage);
      const { usage_guest, usage_guest_nice, ...parts } = usage ?? {};
      expect(Object.values(parts).reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(100 + 1e-9);
      for (const value of [usage_guest ?? 0, usage_guest_nice ?? 0]) expect(value).toBeLessThanOrEqual(100);
    }),
  );
});

test("diskstats and net/dev read back what they were written from", () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { minLength: 16, maxLength: 16 }), (counts) => {
      expect(parseDiskstats(`  8  0 sdb ${counts.join(" ")}`).get("sdb")).toMatchObject({
        reads: counts[0],
        weighted_io_time: counts[10],
      });
      expect(parseNetDev(`  br-1a: ${counts.join("  ")}`).get("br-1a")).toMatchObject({
        bytes_recv: counts[0],
        drop_out: counts[11],
      });
    }),
  );
});

test("a file system that is mounted several times counts once, and escapes are read", () => {
  const mounts = parseMounts(`30 1 8:1 /var /data/var rw - ext4 /dev/sda1 rw
31 1 8:1 / /srv/with\\040space ro,relatime shared:3 master:1 - ext4 /dev/sda1 rw
32 1 8:1 / /srv/with\\040space/longer rw - ext4 /dev/sda1 rw
33 1 0:50 / /net rw - nfs4 server:/export rw
34 1 0:51 / /merged rw - overlay overlay rw
`);
  expect(mounts).toEqual([
    { path: "/srv/with space", device: "sda1", fstype: "ext4", mode: "ro", isLocal: true },
    { path: "/net", device: "server:/export", fstype: "nfs4", mode: "rw", isLocal: false },
  ]);
});

test("disk fields follow df: what root keeps for itself is neither used nor free", () => {
  const stats = { unit: 4096, blocks: 1000, bfree: 400, bavail: 350, files: 100, ffree: 90 };
  expect(diskFields(stats)).toEqual({
    total: 4_096_000,
    free: 350 * 4096,
    used: 600 * 4096,
    used_percent: (100 * 600) / 950,
    inodes_total: 100,
    inodes_free: 90,
    inodes_used: 10,
    inodes_used_percent: 10,
  });
  expect(diskFields({ ...stats, blocks: 0 })).toBeUndefined();
});
