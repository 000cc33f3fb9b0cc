import { readFileSync } from "node:fs";
import { expect, it, test } from "vitest";
import { findExample } from "../../../shared/test/examples.js";
import { findShownByPrograms, parseMounts } from "./mountinfo.js";
import { toTagValue } from "./tag-value.js";

const line = (path: string, type = "ext4", source = "/dev/sdz", number = "9:9"): string =>
  `31 1 ${number} / ${path} rw - ${type} ${source} rw\n`;

const cases = findExample("mountinfo_wsl");
test.skipIf(cases === undefined)("a drive of WSL is one, and its tag can be stored (skipped where the example is not)", () => {
  const mounts = parseMounts(readFileSync(cases ?? "", "latin1"));
  expect(mounts).toContainEqual({ path: "/tmp/wsl/mnt_c", device: "C:\\", fstype: "9p", mode: "rw", isLocal: false });
  expect(mounts.map(({ device }) => toTagValue(device))).toEqual(["root", "C:\\134"]);
});

it("never gives an autofs, nor what lies below one that was mounted over it", () => {
  expect(parseMounts(line("/home", "autofs", "auto.home", "0:7"))).toEqual([]);
  const mountedOver = line("/home", "autofs", "auto.home", "0:7") + line("/home", "nfs4", "server:/home", "0:8");
  expect(parseMounts(mountedOver).map(({ device }) => device)).toEqual(["server:/home"]);
  const hidden = line("/home", "ext4", "/dev/sdb1", "8:17") + line("/home", "autofs", "auto.home", "0:7");
  expect(parseMounts(hidden)).toEqual([]);
});

it("calls local only what is reached through local file systems alone", () => {
  const text = [
    line("/", "ext4", "/dev/a", "8:1"),
    line("/mnt", "nfs4", "server:/", "0:9"),
    line("/mnt/disk", "ext4", "/dev/b", "8:2"),
    line("/mnt2", "xfs", "/dev/c", "8:3"),
    line("/run", "tmpfs", "tmpfs", "0:3"),
    line("/run/disk", "ext4", "/dev/d", "8:4"),
  ];
  const local = parseMounts(text.join("")).filter(({ isLocal }) => isLocal);
  expect(local.map(({ path }) => path)).toEqual(["/", "/mnt2", "/run/disk"]);
  const container = line("/", "overlay", "overlay", "0:2") + line("/data", "ext4", "/dev/a", "8:1");
  expect(parseMounts(container)).toMatchObject([{ path: "/data", isLocal: false }]);
});

it("gives paths as bytes, whatever they are", () => {
  const long = `/${"d".repeat(250)}/${"e".repeat(250)}/${"f".repeat(250)}`;
  const text = [
    line("/a\\011b\\012c\\134\\040d", "xfs", "/dev/a"),
    line("/caf\xe9", "xfs", "/dev/b"),
    line(long, "xfs", "/dev/c"),
  ];
  expect(parseMounts(text.join("")).map(({ path }) => path)).toEqual(["/a\tb\nc\\ d", "/caf\xe9", long]);
});

it("knows what a program shows in the kernel's stead", () => {
  const text = `${line("/proc", "proc", "proc")}${line("/proc/stat", "fuse.lxcfs", "lxcfs")}${line("/proc/sys", "proc", "proc")}${line("/procession", "fuse", "x")}`;
  expect(findShownByPrograms(text, "/proc")).toEqual(["/proc/stat"]);
});
