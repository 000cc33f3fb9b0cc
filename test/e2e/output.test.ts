import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fleetmarkBin, makeFolder, startProgram } from "../testbed/program.js";

const folder = makeFolder();
afterAll(folder.remove);

/** Runs a line of shell in which `fleetmark` is the program. */
function runShell(line: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const script = `set -o pipefail; fleetmark() { "${process.execPath}" "${fleetmarkBin}" "$@"; }; ${line}`;
  const child = spawn("bash", ["-c", script], { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...output })));
}

const once = "up --once --suite none --grpc-listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --data";

describe("output that nobody takes", () => {
  it.each([
    ["config schema --for agent | head -1", 0],
    ["config schema --for agent | true", 0],
    ["--help >&-", 0],
    ["--help 2>&-", 0],
    ["bench --list 2>/dev/full", 0],
    ["upp 2>/dev/full", 2],
    ["upp 2>&-", 2],
    ["results --data nowhere 2>/dev/full", 3],
    [`${once} one 2>/dev/full`, 0],
    [`${once} two 2>&-`, 0],
  ])("leaves the exit code of `fleetmark %s` as it is", async (line, code) => {
    const ended = await runShell(`fleetmark ${line}`);
    expect(ended.code, ended.stderr).toBe(code);
    expect(ended.stderr).not.toMatch(/\n +at /);
  });

  it.each(["--help", "--version", "config schema --for agent", "bench --schema"])(
    "is said, and is exit code 3, where the disk of `fleetmark %s` is full",
    async (line) => {
      const ended = await runShell(`fleetmark ${line} >/dev/full`);
      expect(ended).toMatchObject({ code: 3, stderr: expect.stringMatching(/^error OUTPUT_FAILED: .*no space left/) });
      expect(ended.stderr).not.toMatch(/\n +at /);
      expect(await runShell(`fleetmark ${line} >/dev/full 2>/dev/full`)).toMatchObject({ code: 3 });
    },
  );

  it("ends an `up` that only watched", async () => {
    const ended = await runShell(`fleetmark ${once.replace("--once ", "")} three 2>&1 | head -1`);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Fleetmark .* measures this machine/) });
  }, 120_000);

  it.each([
    "agent --collector-address 127.0.0.1:9 --spool-dir four",
    "collector --data-dir five --grpc-listen 127.0.0.1:0 --http-listen 127.0.0.1:0",
  ])("ends no daemon: %s", async (line) => {
    const ended = await runShell(`fleetmark ${line} 2>/dev/full & sleep 4; kill -TERM $(pgrep -P $!) $!; wait $!`);
    expect(ended.code).not.toBe(3);
    expect(existsSync(join(folder.path, line.includes("four") ? "four" : "five"))).toBe(true);
  });
});

describe("a command that only helps or reads", () => {
  it.each(["--help", "--version", "up --help", "results --help", "hosts --help", "compare --help"])(
    "needs no WebAssembly, whose memory a bounded address space can't hold: %s",
    async (line) => {
      // Node itself takes nearly a gigabyte of address space; a WebAssembly memory ten.
      const ended = await runShell(`ulimit -v 2000000; fleetmark ${line}`);
      expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: "" });
    },
  );

  it("asks a collector without it too", async () => {
    const ended = await runShell("ulimit -v 2000000; fleetmark hosts --collector 127.0.0.1:9");
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringMatching(/COLLECTOR_UNREACHABLE/) });
  });

  it("loads no tensor library, no database and no gRPC for its help", async () => {
    const program = startProgram(["up", "--help"], { environment: { NODE_DEBUG: "esm,module" } });
    const { stdout, stderr } = await program.ended;
    expect(stdout).toContain("Usage: fleetmark up");
    expect(stderr).toContain("commands/up/up.js");
    expect(stderr).not.toMatch(/node_modules\/(@jax-js|@tensorflow|@duckdb|@grpc|fastify)|bench\/dist/);
  });
});

describe("a signal", () => {
  const silent = createServer();
  beforeAll(() => new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve)));
  afterAll(() => void silent.close());

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s ends a command with exit code %i", async (signal, code) => {
    // It takes the question, and never answers.
    const connected = new Promise<void>((resolve) => silent.once("connection", () => resolve()));
    const { port } = silent.address() as AddressInfo;
    const program = startProgram(["hosts", "--collector", `127.0.0.1:${port}`]);
    await connected;
    program.process.kill(signal);
    expect(await program.ended).toMatchObject({ code });
  });
});
