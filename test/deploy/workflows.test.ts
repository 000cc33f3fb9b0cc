import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { makeFolder } from "../testbed/program.js";

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly if?: string;
}

interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: { readonly bench: { readonly steps: readonly Step[] } };
}

const [ours, published] = [".github/workflows/benchmarks.yml", "docs/github-actions.yml"].map(
  (path): Workflow => parse(readFileSync(path, "utf8")),
) as [Workflow, Workflow];
const folder = makeFolder();
afterAll(folder.remove);

const findStep = (name: RegExp): Step => published.jobs.bench.steps.find((step) => name.test(step.name ?? "")) as Step;

/** Runs a step as a runner does, with `gh` and `npx` that write down how they were called. */
function runStep(
  { run = "" }: Step,
  environment: Record<string, string>,
): { status: number | null; calls: string[]; output: string } {
  for (const tool of ["gh", "npx"]) {
    const path = join(folder.path, tool);
    writeFileSync(
      path,
      `#!/bin/bash\nprintf '%s' '${tool}' >> calls\nprintf ' <%s>' "$@" >> calls\necho >> calls\necho "$ANSWER"\n`,
    );
    chmodSync(path, 0o755);
  }
  for (const name of ["calls", "output"]) writeFileSync(join(folder.path, name), "");
  const env = { PATH: `${folder.path}:${process.env.PATH}`, GITHUB_OUTPUT: "output", GITHUB_REPOSITORY: "o/r", ...environment };
  const { status } = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", run], { cwd: folder.path, env });
  const read = (name: string): string => readFileSync(join(folder.path, name), "utf8").trim();
  return { status, calls: read("calls").split("\n").filter(Boolean), output: read("output") };
}

describe("the workflow for benchmarks", () => {
  it("is the one that this repository runs, but for the installation", () => {
    const withoutInstall = ({ jobs }: Workflow): Step[] =>
      jobs.bench.steps.filter(({ run = "", name }) => name !== "Install Fleetmark" && run !== "npm ci" && run !== "make build");
    expect(withoutInstall(published)).toEqual(withoutInstall(ours));
    expect(published.permissions).toEqual({ contents: "read", actions: "read", "pull-requests": "write" });
  });

  it("has steps that bash can read", () => {
    for (const { run } of [...ours.jobs.bench.steps, ...published.jobs.bench.steps]) {
      if (run !== undefined) expect(spawnSync("bash", ["-n", "-c", run]).status, run).toBe(0);
    }
  });

  it.each([
    ["asked for by hand", { ASKED: "a safer\nsolver", GITHUB_EVENT_NAME: "workflow_dispatch" }, "reason=a safer solver", 0],
    ["a labelled pull request", { LABELLED: "12", GITHUB_EVENT_NAME: "pull_request" }, /on pull request 12$/, 0],
    ["the merge of one", { GITHUB_EVENT_NAME: "push", GITHUB_SHA: "abc", ANSWER: "13" }, /on pull request 13$/, 1],
    ["any other push", { GITHUB_EVENT_NAME: "push", GITHUB_SHA: "abc", ANSWER: "" }, "reason=", 1],
    ["a pull request", { GITHUB_EVENT_NAME: "pull_request" }, "reason=", 0],
  ])("finds out whether a slower level is accepted: %s", (_, environment, expected, asked) => {
    const { status, calls, output } = runStep(findStep(/is accepted/), environment as Record<string, string>);
    expect(status).toBe(0);
    expect(calls).toHaveLength(asked);
    if (typeof expected === "string") expect(output).toBe(expected);
    else expect(output).toMatch(expected);
  });

  it("compares where there is a baseline, and accepts where somebody does", () => {
    const measure = (REASON: string): string[] => runStep(findStep(/^Measure, and compare/), { REASON, SUMMARY: "s.md" }).calls;
    expect(measure("")).toEqual(["npx <fleetmark> <bench> <--quick> <--summary> <s.md>"]);
    spawnSync("mkdir", ["-p", join(folder.path, "fleetmark-results")]);
    writeFileSync(join(folder.path, "fleetmark-results/baseline.json"), "{}");
    expect(measure('it is "safer"; $(date)')).toEqual([
      'npx <fleetmark> <bench> <--quick> <--summary> <s.md> <--compare-baseline> <--accept> <it is "safer"; $(date)>',
    ]);
  });

  it("writes one comment, and renews it", () => {
    writeFileSync(join(folder.path, "s.md"), "### Benchmarks\n");
    const tell = (ANSWER: string) => runStep(findStep(/^Tell the pull request/), { SUMMARY: "s.md", PULL: "7", ANSWER });
    const first = tell("");
    expect([first.status, first.calls[1]]).toEqual([
      0,
      "gh <api> <--silent> <repos/o/r/issues/7/comments> <--field> <body=@comment.md>",
    ]);
    expect(tell("99").calls[1]).toMatch(/<--method> <PATCH> <repos\/o\/r\/issues\/comments\/99>/);
    expect(readFileSync(join(folder.path, "comment.md"), "utf8")).toBe("<!-- fleetmark benchmarks -->\n### Benchmarks\n");
  });
});
