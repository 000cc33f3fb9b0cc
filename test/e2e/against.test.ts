import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ResultFile, resultFileSchema } from "@fleetmark/shared/model/result-file";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram, startProgram } from "../testbed/program.js";

const folder = makeFolder();
const repository = join(folder.path, "repository");
const temporary = join(folder.path, "temporary");
afterAll(folder.remove);

function git(...args: string[]): string {
  const identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];
  const ended = spawnSync("git", ["-C", repository, ...identity, ...args], { encoding: "utf8" });
  expect(ended.status, ended.stderr).toBe(0);
  return ended.stdout.trim();
}

const suites = `
workloads:
  - { name: step, module: ./step.mjs, function: step }
suites:
  - { name: own, description: one, benchmarks: [{ name: step }] }
`;

const writeStep = (into: string, turns: number): void =>
  writeFileSync(
    join(into, "step.mjs"),
    `import { start } from "steps";
export function step() {
  let x = start;
  for (let i = 0; i < ${turns}; i++) x = (x * 1.000001 + i) % 1000;
  return x;
}
`,
  );

/** A repository whose commit is quick, whose working tree is 1.6 times slower, and whose package is in no commit. */
beforeAll(() => {
  for (const made of [temporary, join(repository, "node_modules/steps")]) mkdirSync(made, { recursive: true });
  writeFileSync(join(repository, "node_modules/steps/index.js"), "export const start = 1;\n");
  writeFileSync(
    join(repository, "node_modules/steps/package.json"),
    '{ "name": "steps", "type": "module", "exports": "./index.js" }',
  );
  writeFileSync(join(repository, ".gitignore"), "node_modules/\nresults*/\n");
  writeFileSync(join(repository, "suites.yaml"), suites);
  writeStep(repository, 1000);
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message=quick");
  writeStep(repository, 1600);
});

const bench = ["bench", "--suite-file", "suites.yaml", "--budget", "6s"];
const options = { cwd: repository, environment: { TMPDIR: temporary } };

describe("fleetmark bench --against", () => {
  it("measures a commit in turns with the working tree, finds what became slower, and leaves nothing behind", async () => {
    const ended = await runProgram([...bench, "--against", "HEAD", "--json"], options);
    expect(ended, ended.stderr).toMatchObject({ code: 1 });
    const { results, comparison } = JSON.parse(ended.stdout) as ResultFile & {
      comparison: { comparisons: { change: number }[] };
    };
    expect(comparison.comparisons[0]).toMatchObject({ metric: "throughput", verdict: "regressed", severity: "high" });
    expect(comparison.comparisons[0].change).toBeCloseTo(-37.5, -1);
    const [name = ""] = readdirSync(join(repository, "fleetmark-results")).filter((each) => each.endsWith("-against.json"));
    const other = resultFileSchema.parse(JSON.parse(readFileSync(join(repository, "fleetmark-results", name), "utf8")));
    expect([other.run.commit, other.run.dirty]).toEqual([git("rev-parse", "HEAD"), "no"]);
    expect(other.results[0].iterations_per_sample).toBe(results[0].iterations_per_sample);
    expect(results[0].process_runs).toBeGreaterThan(1);
    expect([git("worktree", "list").split("\n").length, readdirSync(temporary)]).toEqual([1, []]);
  });

  it("measures a folder, and says what is there and what is not", async () => {
    const copy = join(folder.path, "copy");
    cpSync(repository, copy, { recursive: true });
    rmSync(join(copy, ".git"), { recursive: true });
    writeStep(copy, 2600);
    writeFileSync(join(copy, "suites.yaml"), `${suites.trim().slice(0, -3)}, { name: step, params: { more: 1 } }] }\n`);
    const ended = await runProgram([...bench, "--against", copy], options);
    expect(ended.code, ended.stdout).toBe(0);
    expect(ended.stdout).toContain(`against ${copy}`);
    expect(ended.stdout).toMatch(/throughput .* improved/);
    expect(ended.stdout).toContain(`only in ${copy}: step{more=1} js/cpu`);
  });

  it.each([
    [["--against", "no-such-branch"], /TREE_INVALID.*no folder "no-such-branch", and no commit/s],
    [["--against", "--output=x"], /TREE_INVALID.*no commit/s],
    [["--against", folder.path], /TREE_INVALID.*has no suites.yaml/s],
    [["--against", "HEAD", "--compare-baseline"], /USAGE.*choose one/s],
  ])("refuses %j", async (args, message) => {
    const ended = await runProgram([...bench, ...args], options);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it("of Fleetmark's own workloads needs a build of Fleetmark", async () => {
    const ended = await runProgram(["bench", "--quick", "--against", "HEAD"], options);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(/TREE_INVALID.*holds no Fleetmark/s)]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("ends at Ctrl-C also while git hangs", async () => {
    const tools = join(folder.path, "tools");
    mkdirSync(tools);
    writeFileSync(join(tools, "git"), "#!/bin/sh\nsleep 60\n");
    chmodSync(join(tools, "git"), 0o755);
    const environment = { ...options.environment, PATH: `${tools}:${process.env.PATH}` };
    const program = startProgram([...bench, "--against", "HEAD"], { ...options, environment });
    await delay(2000);
    program.process.kill("SIGINT");
    expect((await program.ended).code).toBe(130);
  });

  it("takes the checked-out folder away when it is interrupted", async () => {
    const program = startProgram([...bench, "--against", "HEAD"], options);
    await program.waitFor(/benchmark 1 of 1/);
    expect(readdirSync(temporary)).toHaveLength(1);
    program.process.kill("SIGINT");
    expect((await program.ended).code).toBe(130);
    expect([git("worktree", "list").split("\n").length, readdirSync(temporary)]).toEqual([1, []]);
  });
});
