import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { readCiOrigin, readPerson } from "./ci.js";
import { findOrigin, layOutOrigin, parseGitStatus } from "./origin.js";

const folder = mkdtempSync(join(tmpdir(), "fleetmark-origin-"));
afterAll(() => rmSync(folder, { recursive: true }));

function git(...args: string[]): string {
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"];
  return execFileSync("git", ["-C", folder, ...who, ...args], { encoding: "utf8", stdio: "pipe" }).trim();
}

describe("findOrigin", () => {
  it("knows nothing outside a repository, and asks no CI variables that are not there", async () => {
    expect(await findOrigin({ folder, environment: {} })).toEqual({});
    expect(await findOrigin({ folder: join(folder, "nowhere"), environment: {} })).toEqual({});
  });

  it("reads commit, branch and changes from git", async () => {
    git("init");
    expect(await findOrigin({ folder, environment: {} }), "before the first commit").toEqual({});
    writeFileSync(join(folder, "a"), "1");
    git("add", "a");
    git("commit", "-m", "first");
    const commit = git("rev-parse", "HEAD");
    expect(await findOrigin({ folder, environment: {} })).toEqual({ commit, branch: "trunk", dirty: "no" });
    writeFileSync(join(folder, "untracked"), "1");
    expect(await findOrigin({ folder, environment: {} })).toMatchObject({ dirty: "no" });
    writeFileSync(join(folder, "a"), "2");
    expect(await findOrigin({ folder, environment: {} })).toMatchObject({ dirty: "yes" });
    git("checkout", "--detach");
    expect(await findOrigin({ folder, environment: {}, labels: { pr: "12" } })).toEqual({
      commit,
      dirty: "yes",
      labels: { pr: "12" },
    });
    const environment = { GITHUB_SHA: commit, GITHUB_REF_NAME: "12/merge", GITHUB_HEAD_REF: "faster" };
    expect(await findOrigin({ folder, environment })).toEqual({ commit, branch: "faster", dirty: "yes" });
  });

  it("says nothing of changes where another commit is built than git has", async () => {
    const environment = { CI_COMMIT_SHA: "f".repeat(40), CI_COMMIT_REF_NAME: "main" };
    expect(await findOrigin({ folder, environment })).toEqual({ commit: "f".repeat(40), branch: "main" });
  });
});

describe("readCiOrigin", () => {
  it.each([
    [
      { GITHUB_SHA: "1", GITHUB_REF_NAME: "main", GITHUB_HEAD_REF: "" },
      { commit: "1", branch: "main" },
    ],
    [
      { CI_COMMIT_SHA: "2", CI_COMMIT_REF_NAME: "dev" },
      { commit: "2", branch: "dev" },
    ],
    [
      { BUILDKITE_COMMIT: "3", BUILDKITE_BRANCH: "b" },
      { commit: "3", branch: "b" },
    ],
    [
      { GIT_COMMIT: "4", GIT_BRANCH: "origin/main" },
      { commit: "4", branch: "origin/main" },
    ],
    [
      { GIT_COMMIT: "4", BRANCH_NAME: "main", GIT_BRANCH: "origin/main" },
      { commit: "4", branch: "main" },
    ],
    [{ PATH: "/bin" }, {}],
  ])("of %j is %j", (environment, expected) => {
    expect(readCiOrigin(environment)).toEqual(expected);
  });
});

it("names who asked for the run", () => {
  expect(readPerson({ GITHUB_SHA: "1", GITHUB_ACTOR: "ada", USER: "runner" })).toBe("ada");
  expect(readPerson({ USER: "grace" })).toBe("grace");
  expect(readPerson({})).toBe("unknown");
});

it("makes nothing of what git does not print", () => {
  const unlike = fc.string().filter((text) => !text.includes("# branch.oid"));
  fc.assert(
    fc.property(unlike, (text) => {
      expect(parseGitStatus(text)).toEqual({});
    }),
  );
});

it("lays an origin out as metadata", () => {
  expect(layOutOrigin({ commit: "1", dirty: "no", labels: { pr: "12" } })).toEqual({ commit: "1", dirty: "no", label_pr: "12" });
  expect(layOutOrigin({})).toEqual({});
});
