import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fleetmarkBin, makeFolder, runProgram } from "../testbed/program.js";

const folder = makeFolder();
afterAll(() => folder.remove());

/** A level of 100 that becomes 110 at the place given, with a little regular noise. */
const makeStep = (length: number, at: number): number[] =>
  Array.from({ length }, (_, i) => (i < at ? 100 : 110) + Math.sin(i * i));

describe("fleetmark detect", () => {
  it("tells programs where the level changed, from standard input", () => {
    const input = JSON.stringify(makeStep(100, 60));
    const { stdout, status } = spawnSync(process.execPath, [fleetmarkBin, "detect", "--json"], { input, encoding: "utf8" });
    expect(status).toBe(0);
    const [change, ...others] = JSON.parse(stdout);
    expect(others).toEqual([]);
    expect(change).toMatchObject({ index: 60, kind: "level" });
    expect(Math.round(change.before)).toBe(100);
    expect(Math.round(change.change_percent)).toBe(10);
    expect(change.confidence).toBeGreaterThan(0.99);
  });

  it("tells people, with the time that stands beside", async () => {
    const file = join(folder.path, "series.csv");
    const lines = makeStep(100, 60).map((value, i) => `2026-01-01T00:${String(i % 60).padStart(2, "0")}:00Z,${value}`);
    writeFileSync(file, `time,latency\n${lines.join("\n")}\n`);
    const { stdout, code } = await runProgram(["detect", file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/index\s+time\s+before\s+after\s+change/);
    expect(stdout).toMatch(/60\s+2026-01-01T00:00:00Z\s+[\d.]+\s+1\d\d\s+\+[\d.]+ %/);
  });

  it("says that nothing changed, and what it can't read", async () => {
    const file = join(folder.path, "flat.json");
    writeFileSync(file, JSON.stringify(makeStep(50, 100)));
    expect(await runProgram(["detect", file])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/no change in 50 values/),
    });
    expect(await runProgram(["detect", file, "--json"])).toMatchObject({ code: 0, stdout: "[]\n" });
    expect((await runProgram(["detect", join(folder.path, "nothing.json")])).code).toBe(2);
  });
});
