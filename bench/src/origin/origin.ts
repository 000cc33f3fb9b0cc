import type { Metadata, Origin } from "@fleetmark/shared/model/result";
import { runTool } from "@fleetmark/shared/tools/tool-runner";
import { type Environment, readCiOrigin } from "./ci.js";

/** Seconds after which git is given up: on a large working tree that nobody has looked at yet, it reads every file. */
const gitDeadlineS = 10;

/**
 * One question for all: the commit, the branch and what differs, in a form that is made for programs. It takes no lock
 * that an edit under way would wait for, and starts no watcher of files.
 */
const gitArguments = ["-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no"];
const gitEnvironment = { GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" };

/** Reads what `git status --porcelain=v2 --branch` prints (git-status(1), "Porcelain Format Version 2"). */
export function parseGitStatus(text: string): Pick<Origin, "commit" | "branch" | "dirty"> {
  const lines = text.split("\n").filter((line) => line !== "");
  const read = (key: string): string | undefined => {
    const prefix = `# branch.${key} `;
    return lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
  };
  const [commit, branch] = [read("oid"), read("head")];
  // A repository without a commit says `(initial)`, one that is on no branch `(detached)`.
  if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) return {};
  const isDirty = lines.some((line) => !line.startsWith("#"));
  return {
    commit,
    ...(branch === undefined || branch === "(detached)" ? {} : { branch }),
    dirty: isDirty ? "yes" : "no",
  };
}

/** Asks git; where there is none, no repository, or no answer in time, nothing is known. */
async function readGitOrigin(folder: string): Promise<ReturnType<typeof parseGitStatus>> {
  const args = ["-C", folder, ...gitArguments];
  const outcome = await runTool("git", "git", args, { deadlineS: gitDeadlineS, environment: gitEnvironment });
  return outcome.state === "ok" ? parseGitStatus(outcome.stdout) : {};
}

export interface OriginOptions {
  /** The folder whose repository is measured; default: the working directory. */
  readonly folder?: string;
  readonly environment?: Environment;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Finds out what is measured: by what the build service says, else by git. A build service checks a commit out and not
 * a
 * branch, so it knows more; whether the files are those of the commit git alone can tell.
 */
export async function findOrigin({ folder = ".", environment = process.env, labels = {} }: OriginOptions = {}): Promise<Origin> {
  const git = await readGitOrigin(folder);
  const ci = readCiOrigin(environment);
  const isSame = ci.commit === undefined || ci.commit === git.commit;
  return {
    ...(isSame ? git : {}),
    ...ci,
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

/** Returns an origin as what every result carries of it. */
export function layOutOrigin({ commit, branch, dirty, labels = {} }: Origin): Metadata {
  const known = Object.entries({ commit, branch, dirty }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(known), ...prefixLabels(labels) };
}

function prefixLabels(labels: Readonly<Record<string, string>>): Metadata {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [`label_${key}`, value]));
}
