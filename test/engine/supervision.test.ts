import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leadGroup } from "@fleetmark/shared/tools/process-group";
import { describe, expect, it, onTestFinished } from "vitest";
import { supervise } from "#bench/executors/supervision.js";

const isPosix = process.platform !== "win32";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-supervision-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const startShell = (script: string): ChildProcess =>
  spawn("/bin/sh", ["-c", script], { ...leadGroup(), stdio: ["ignore", "pipe", "pipe"] });

/** A process that no signal ends, as one in an uninterruptible sleep; its id is no process's. */
function createSleeper(): ChildProcess {
  const sleeper = { pid: 2 ** 22 + 1, exitCode: null, signalCode: null, connected: false, unref: () => undefined };
  return Object.assign(new EventEmitter(), sleeper) as unknown as ChildProcess;
}

describe.skipIf(!isPosix)("a supervised process (skipped where there is no shell)", () => {
  it("that leaves its group with the pipes in hand delays nothing", async () => {
    const folder = makeFolder();
    const child = startShell(`setsid sleep 1000 & echo $! > ${folder}/pid; exit 3`);
    const startedMs = performance.now();
    await expect(supervise(child, { timeoutS: 30 }).ended).rejects.toThrow(/ended with exit code 3/);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    process.kill(Number(readFileSync(`${folder}/pid`, "utf8")), "SIGKILL");
  });

  it("is killed past its time, whatever signals it ignores", async () => {
    const child = startShell("trap '' TERM INT HUP; echo busy >&2; while :; do sleep 1; done");
    await expect(supervise(child, { timeoutS: 0.3 }).ended).rejects.toThrow(/took longer than 0.3 s; it said:\nbusy/);
    expect(child.signalCode).toBe("SIGKILL");
  });

  it("that started nothing says why", async () => {
    const child = spawn("/nonexistent/program", leadGroup());
    await expect(supervise(child, { timeoutS: 5 }).ended).rejects.toMatchObject({ code: "BENCHMARK_FAILED" });
  });

  it("gives what it gave before its end", async () => {
    const folder = makeFolder();
    const child = startShell(`while [ ! -e ${folder}/go ]; do sleep 0.02; done`);
    const supervised = supervise<number>(child, { timeoutS: 30 });
    supervised.succeed(1);
    supervised.fail(new Error("too late"));
    spawn("touch", [`${folder}/go`]);
    expect(await supervised.ended).toBe(1);
    expect(existsSync(`${folder}/go`)).toBe(true);
  });
});

describe("a process that can't be killed", () => {
  it("is let go of when it is late", async () => {
    await expect(supervise(createSleeper(), { timeoutS: 0.05 }).ended).rejects.toThrow(/took longer than 0.05 s/);
  });

  it("is let go of when it is not wanted any more", async () => {
    const reason = new Error("not wanted any more");
    await expect(supervise(createSleeper(), { timeoutS: 60, signal: AbortSignal.abort(reason) }).ended).rejects.toBe(reason);
  });
});
