import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { runTool } from "./tool-runner.js";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-tools-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const shell = (name: string, script: string, deadlineS = 20, more: { maxBytes?: number; signal?: AbortSignal } = {}) =>
  runTool(name, "/bin/sh", ["-c", script], { deadlineS, ...more });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function waitForEnd(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(10);
}

describe("runTool", () => {
  it("returns what a tool printed", async () => {
    expect(await shell("ok", "echo one; echo two")).toMatchObject({ state: "ok", stdout: "one\ntwo\n" });
  });

  it("tells a tool that is not there from one that fails, with what it said", async () => {
    expect(await runTool("none", "/nonexistent/nvidia-smi", [], { deadlineS: 1 })).toMatchObject({ state: "absent" });
    expect(await runTool("none", "/nonexistent/nvidia-smi", [], { deadlineS: 1 })).toMatchObject({ state: "absent" });
    expect(await shell("fails", "echo half; echo 'no devices were found' >&2; exit 6")).toMatchObject({
      state: "failed",
      reason: "ended with exit code 6: no devices were found",
    });
    expect(await shell("stdout", "echo 'Failed to initialize NVML'; exit 9")).toMatchObject({
      state: "failed",
      reason: "ended with exit code 9: Failed to initialize NVML",
    });
    expect(await runTool("folder", "/tmp", [], { deadlineS: 1 })).toMatchObject({ state: "failed" });
    expect(await runTool("nul", "a\0b", [], { deadlineS: 1 })).toMatchObject({ state: "failed" });
  });

  it("kills a tool that hangs, with all of its group, and answers", async () => {
    const folder = makeFolder();
    const script = `trap '' TERM; sleep 1000 & echo $! > ${folder}/pid; trap '' TERM; sleep 1000`;
    expect(await shell("hangs", script, 0.5)).toMatchObject({ state: "timed_out", reason: "no end within 0.5 s" });
    await waitForEnd(Number(readFileSync(`${folder}/pid`, "utf8")));
  });

  it("waits for no grandchild that holds the pipe", async () => {
    const folder = makeFolder();
    const outcome = await shell("pipe", `setsid sleep 1000 & echo $! > ${folder}/pid; echo done`);
    expect(outcome).toMatchObject({ state: "ok", stdout: "done\n" });
    const pid = Number(readFileSync(`${folder}/pid`, "utf8"));
    // It left the group, so it is none of ours; the test ends what it began.
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });

  it("begins none while the one before has not ended", async () => {
    const folder = makeFolder();
    const first = shell("slow", `while [ ! -e ${folder}/go ]; do sleep 0.02; done; echo end`);
    expect(await shell("slow", "echo second")).toMatchObject({ state: "hung" });
    expect(await shell("other", "echo other")).toMatchObject({ state: "ok" });
    await shell("touch", `: > ${folder}/go`);
    expect(existsSync(`${folder}/go`)).toBe(true);
    expect(await first).toMatchObject({ state: "ok", stdout: "end\n" });
    expect(await shell("slow", "echo again")).toMatchObject({ state: "ok" });
  });

  it("stops what floods", async () => {
    expect(await shell("floods", "while :; do echo flood; done", 20, { maxBytes: 10_000 })).toMatchObject({
      state: "failed",
      reason: "it printed more than 10000 bytes",
    });
  });

  it("is interrupted at once", async () => {
    const ending = new AbortController();
    const outcome = shell("aborted", "sleep 1000", 20, { signal: ending.signal });
    ending.abort();
    expect(await outcome).toMatchObject({ state: "failed", reason: "interrupted" });
    expect(await shell("aborted before", "echo", 20, { signal: ending.signal })).toMatchObject({ reason: "interrupted" });
  });
});
