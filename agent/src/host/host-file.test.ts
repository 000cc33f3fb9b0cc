import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makeTestFolder } from "../../test/folder.js";
import { examineRoots, findSystemTool, readHostFile } from "./host-file.js";

function makeRoots() {
  const { path, remove } = makeTestFolder();
  onTestFinished(remove);
  return { proc: join(path, "proc"), sys: join(path, "sys") };
}

it("reads bytes, empty files, and of an endless file so many whole lines", async () => {
  const roots = makeRoots();
  mkdirSync(roots.proc);
  writeFileSync(join(roots.proc, "odd"), Buffer.from([0x61, 0xff, 0x0a]));
  writeFileSync(join(roots.proc, "empty"), "");
  writeFileSync(join(roots.proc, "huge"), "0123456789\n".repeat(500_000));
  expect(await readHostFile(roots, "proc", "odd")).toBe("a\xff\n");
  expect(await readHostFile(roots, "proc", "empty")).toBe("");
  const huge = await readHostFile(roots, "proc", "huge");
  expect(huge.length).toBeLessThan(4.1 * 2 ** 20);
  expect(huge.endsWith("9\n")).toBe(true);
  await expect(readHostFile(roots, "proc", "none")).rejects.toMatchObject({ code: "ENOENT" });
});

it("waits for no pipe in a file's place", async () => {
  const roots = makeRoots();
  mkdirSync(roots.proc);
  execFileSync("mkfifo", [join(roots.proc, "pipe")]);
  expect(await readHostFile(roots, "proc", "pipe")).toBe("");
});

it("lets another process read what a program shows", async () => {
  const roots = makeRoots();
  mkdirSync(join(roots.proc, "self"), { recursive: true });
  writeFileSync(join(roots.proc, "stat"), "cpu 1\n");
  const mounts = `1 1 0:1 / ${roots.proc}/stat rw - fuse.lxcfs lxcfs rw\n2 1 0:2 / ${roots.proc}/none rw - fuse.lxcfs lxcfs rw\n`;
  writeFileSync(join(roots.proc, "self", "mountinfo"), mounts);
  const examined = examineRoots(roots);
  expect(examined.shownByPrograms).toEqual([join(roots.proc, "stat"), join(roots.proc, "none")]);
  expect(await readHostFile(examined, "proc", "stat")).toBe("cpu 1\n");
  await expect(readHostFile(examined, "proc", "none")).rejects.toMatchObject({ code: "PROBE_FAILED" });
});

it("knows the tools of the system by their whole path", () => {
  expect(findSystemTool("sh")).toMatch(/^\/.*\/sh$/);
  expect(findSystemTool("no-such-tool")).toBeUndefined();
});
