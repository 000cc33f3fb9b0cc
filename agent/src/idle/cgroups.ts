import { readdirSync } from "node:fs";
import { join } from "node:path";
import { matchGlob } from "@fleetmark/shared/model/glob";

/** Where Slurm keeps its jobs: under cgroup v2, and in the hierarchies of v1 (slurm.schedmd.com/cgroup_v2.html). */
export const slurmCgroups = ["system.slice/*slurmstepd.scope/job_*", "*/slurm*/uid_*/job_*", "slurm*/uid_*/job_*"] as const;

/** Matches at a level that are followed: a node holds some hundred pods, and this is looked at every second. */
const mostMatches = 2000;

function listFolders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

/**
 * Finds a control group that matches a pattern, in which this process is not.
 * @param root where the kernel shows them: /sys/fs/cgroup
 * @param pattern a path below it, `*` and `?` standing for characters of one name each
 * @param own the paths of this process's groups, as /proc/self/cgroup gives them
 */
export function findCgroup(root: string, pattern: string, own: readonly string[]): string | undefined {
  // Under v1 the first name is that of a hierarchy, which /proc/self/cgroup leaves out.
  const isOwn = (path: string): boolean => {
    const below = path.slice(path.indexOf("/", 1));
    return own.some((each) => `${each}/`.startsWith(`${path}/`) || `${each}/`.startsWith(`${below}/`));
  };
  let found = [""];
  for (const name of pattern.split("/").filter(Boolean)) {
    const next: string[] = [];
    for (const folder of found) {
      for (const child of listFolders(join(root, folder))) {
        if (matchGlob(name, child) && next.length < mostMatches) next.push(`${folder}/${child}`);
      }
    }
    found = next;
  }
  return found.find((path) => path !== "" && !isOwn(path))?.slice(1);
}

/** Reads the paths of a process's groups: `0::/user.slice/a.scope`, a line each hierarchy (cgroups(7)). */
export function parseCgroups(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const path = line.split(":").slice(2).join(":");
    return path.length > 1 ? [path] : [];
  });
}
