import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { makeTestFolder } from "../../test/folder.js";
import { lockSpool } from "./lock.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function makeDir(...below: string[]): string {
  const folder = makeTestFolder();
  cleanups.push(folder.remove);
  const dir = join(folder.path, ...below);
  mkdirSync(dir, { recursive: true });
  return dir;
}

test.each([
  ["a short path", []],
  ["a path longer than a socket's may be", ["x".repeat(100), "y".repeat(100)]],
])("one holds it at a time, by %s", async (_, below) => {
  const dir = makeDir(...below);
  const unlock = await lockSpool(dir);
  await expect(lockSpool(dir)).rejects.toMatchObject({
    code: "SPOOL_LOCKED",
    message: expect.stringContaining(`PID ${process.pid}`),
  });
  await unlock();
  await (await lockSpool(dir))();
});

const holder = `
  require("node:net").createServer((socket) => socket.end("1 x")).listen(process.argv[1], () => process.stdout.write("holds"));
`;

test("a holder that is stopped still holds it, and one that was killed does not", async () => {
  const dir = makeDir();
  const child = spawn(process.execPath, ["-e", holder, join(dir, "lock")], { stdio: ["ignore", "pipe", "inherit"] });
  cleanups.push(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGSTOP");
  await expect(lockSpool(dir)).rejects.toMatchObject({ code: "SPOOL_LOCKED" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
  const unlock = await lockSpool(dir);
  await expect(lockSpool(dir)).rejects.toMatchObject({ code: "SPOOL_LOCKED" });
  await unlock();
});
