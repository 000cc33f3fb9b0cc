import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { runTool } from "@fleetmark/shared/tools/tool-runner";

/**
 * Another state of the sources that are measured: a folder that somebody has built, or a commit, which is checked out
 * into a folder of its own for as long as it is measured. Git keeps note of such a folder (git-worktree(1)), so that
 * neither the working tree nor the index of the user's own is touched.
 */
export interface Tree {
  /** For people: the folder, or what was asked for and the commit. */
  readonly name: string;
  readonly folder: string;
  /** Finds in it what lies at a path of the user's own tree; undefined where it has nothing there. */
  find(path: string): string | undefined;
  /** Takes a checked-out folder away. */
  remove(): Promise<void>;
}

function refuse(message: string): never {
  throw new FleetmarkError("TREE_INVALID", message);
}

/** Seconds. */
const gitDeadlineS = 120;
const gitEnvironment = { GIT_TERMINAL_PROMPT: "0" };

/** Asks git something. @throws FleetmarkError TREE_INVALID with what git said */
type AskGit = (folder: string, ...args: string[]) => Promise<string>;

function createGit(signal?: AbortSignal): AskGit {
  return async (folder, ...args) => {
    const options = { deadlineS: gitDeadlineS, environment: gitEnvironment, signal };
    const outcome = await runTool("git", "git", ["-C", folder, ...args], options);
    return outcome.state === "ok" ? outcome.stdout.trim() : refuse(`git ${args[0]}: ${outcome.reason}`);
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The first of some places below a folder where there is something. */
function findBelow(folder: string, places: readonly string[]): string | undefined {
  return places.map((place) => join(folder, place)).find((path) => existsSync(path));
}

/** A folder may be a whole repository beside the user's own, or only what corresponds to the working directory. */
async function openFolder(folder: string, near: string, askGit: AskGit): Promise<Tree> {
  const top = await askGit(near, "rev-parse", "--show-toplevel").catch(() => undefined);
  const find = (path: string): string | undefined => {
    const places = [top, process.cwd()].flatMap((from) => (from === undefined ? [] : relative(from, path)));
    return findBelow(folder, [...places.filter((place) => !place.startsWith("..")), basename(path)]);
  };
  return { name: folder, folder, find, remove: async () => {} };
}

/** Lets a checked-out tree have the packages that are installed: they are in no commit. */
async function linkPackages(top: string, near: string, folder: string): Promise<void> {
  for (let from = near; from.startsWith(top); from = dirname(from)) {
    const [installed, place] = [join(from, "node_modules"), join(folder, relative(top, from), "node_modules")];
    if (isFolder(installed) && isFolder(dirname(place)) && !existsSync(place)) await symlink(installed, place, "dir");
    if (from === top) return;
  }
}

async function checkOut(asked: string, near: string, askGit: AskGit): Promise<Tree> {
  const top = await askGit(near, "rev-parse", "--show-toplevel").catch(() =>
    refuse(`there is no folder ${JSON.stringify(asked)}, and ${near} lies in no git repository`),
  );
  const commit = await askGit(near, "rev-parse", "--verify", "--quiet", "--end-of-options", `${asked}^{commit}`).catch(() =>
    refuse(`there is no folder ${JSON.stringify(asked)}, and no commit of that name in ${top}`),
  );
  const parent = await mkdtemp(join(tmpdir(), "fleetmark-against-"));
  const folder = join(parent, basename(top));
  // What git has noted of a folder that is gone, it forgets by itself after a while too.
  const remove = async (): Promise<void> => {
    await rm(parent, { recursive: true, force: true });
    await createGit()(top, "worktree", "prune").catch(() => {});
  };
  try {
    await askGit(top, "worktree", "add", "--quiet", "--detach", folder, commit);
    await linkPackages(top, near, folder);
  } catch (thrown) {
    await remove();
    throw thrown;
  }
  const find = (path: string): string | undefined => findBelow(folder, [relative(top, path)]);
  return { name: `${asked} (${commit.slice(0, 10)})`, folder, find, remove };
}

/**
 * Opens a tree: a folder, or else a commit by any name that git knows for it.
 * @param near a file or folder of the user's own tree
 * @param signal ends what git is asked
 * @throws FleetmarkError TREE_INVALID
 */
export async function openTree(where: string, near: string, signal: AbortSignal): Promise<Tree> {
  const start = isFolder(near) ? resolve(near) : dirname(resolve(near));
  const askGit = createGit(signal);
  return isFolder(where) ? openFolder(resolve(where), start, askGit) : checkOut(where, start, askGit);
}
