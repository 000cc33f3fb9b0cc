import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { findExample } from "../../../shared/test/examples.js";
import { chooseDisks, parseDiskstats } from "./diskio.js";

const none: ReadonlySet<string> = new Set();
const choose = (names: readonly string[], disks = none, all = none): string[] =>
  chooseDisks(new Map(names.map((name) => [name, {}])), disks, all).map(([name]) => name);

describe("whole disks", () => {
  it("are told by /sys, where it knows the device", () => {
    const disks = new Set(["xvda1", "nvme0n1", "dm-0", "cciss/c0d0"]);
    const all = new Set([...disks, "nvme0n1p1", "cciss/c0d0p1"]);
    expect(choose(["xvda1", "nvme0n1", "nvme0n1p1", "dm-0", "cciss/c0d0", "cciss/c0d0p1"], disks, all)).toEqual([...disks]);
  });

  it.each([
    [
      ["xvda1", "xvdb"],
      ["xvda1", "xvdb"],
    ],
    [
      ["sda", "sda1", "sdb2", "dasda", "dasda1", "vdp", "vdp1"],
      ["sda", "sdb2", "dasda", "vdp"],
    ],
    [
      ["nvme0n1", "nvme0n1p1", "nvme0n1p12", "nvme1n1p1"],
      ["nvme0n1", "nvme1n1p1"],
    ],
    [
      ["mmcblk0", "mmcblk0p1", "mmcblk0boot0", "md127", "md127p1", "dm-0", "dm-1", "sr0"],
      ["mmcblk0", "mmcblk0boot0", "md127", "dm-0", "dm-1", "sr0"],
    ],
  ])("are told by the name alone from %j", (names, disks) => expect(choose(names)).toEqual(disks));

  it("leave out what lies in memory or in a file", () => {
    const text = ["loop0", "ram3", "zram0", "fd0", "sda"].map((name) => `8 0 ${name} 1 2 3 4 5 6 7 8 9 10 11`).join("\n");
    expect([...parseDiskstats(text).keys()]).toEqual(["sda"]);
  });
});

const cases = findExample("diskstats_xen");
test.skipIf(cases === undefined)("both disks of a Xen guest are reported (skipped where the example is not)", () => {
  expect(chooseDisks(parseDiskstats(readFileSync(cases ?? "", "latin1")), none, none).map(([name]) => name)).toEqual([
    "xvda1",
    "xvdb",
  ]);
});
