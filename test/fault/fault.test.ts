import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { repositoryRoot } from "../testbed/repository-root.js";

const program = join(repositoryRoot, "test/dist/fault/main.js");
const seed = Math.floor(Math.random() * 2 ** 31);

async function run(args: readonly string[]): Promise<{ code: number | null; lines: string[]; progress: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGTERM"));
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, lines: output.stdout.trim().split("\n"), progress: output.stderr };
}

describe("a fleet of fifty hosts to which ten things happen", () => {
  it(`loses, doubles, changes and invents nothing (seed ${seed})`, async () => {
    const { lines, progress } = await run([
      "--faults",
      "10",
      "--seed",
      String(seed),
      "--quick",
      "--topologies",
      "grpc-duckdb,nats-influx",
    ]);
    const outcome = JSON.parse(lines.at(-1) ?? "{}");
    console.log(lines.at(-1));
    const { lost, uncounted, doubled, changed, strangers, undelivered, crashes, findings } = outcome;
    expect({ lost, uncounted, doubled, changed, strangers, undelivered, crashes, findings }, progress).toEqual({
      lost: 0,
      uncounted: 0,
      doubled: 0,
      changed: 0,
      strangers: 0,
      undelivered: 0,
      crashes: [],
      findings: [],
    });
    expect(outcome.seed).toBe(seed);
    expect(outcome.hosts).toBeGreaterThanOrEqual(50);
    expect(outcome.stored).toBeGreaterThan(10_000);
    const faults: number[] = Object.values(outcome.faults);
    expect(faults.reduce((sum, count) => sum + count, 0)).toBe(10);
  }, 300_000);
});
