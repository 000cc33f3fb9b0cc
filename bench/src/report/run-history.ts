import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Result } from "@fleetmark/shared/model/result";
import { parseResultFile } from "@fleetmark/shared/model/result-file";
import { measureSpread, poolSpreads, type Spread } from "@fleetmark/shared/stats/levels";
import type { FindHistory } from "../measure/suite-run.js";

/** How many of the newest result files are read, and how many degrees of freedom they may count in all. */
const most = { files: 20, degrees: 20 } as const;

/** Reads the results of a file; none of one that can't be read or holds something else. */
async function readResults(path: string): Promise<readonly Result[]> {
  try {
    return parseResultFile(await readFile(path, "utf8"), path).results;
  } catch {
    return [];
  }
}

const keyOf = (hardwareClass: string, name: string): string => JSON.stringify([hardwareClass, name]);

/** Returns how the runs of a result differ, by themselves; undefined where it does not say. */
function readSpread({ quantity, run_medians: medians = [], steady_state }: Result): Spread | undefined {
  if (medians.length < 2 || steady_state === "no_steady_state") return undefined;
  const isPositive = quantity !== "overhead" && medians.every((each) => each > 0);
  return measureSpread(medians, isPositive ? "relative" : "absolute");
}

/**
 * Reads from the newest result files of a folder what process runs of each benchmark are like: what a run of today need
 * not find out anew.
 */
export async function readRunHistory(folder: string): Promise<FindHistory> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
  const known = new Map<string, { spreads: Spread[]; iterationsPerSample: number }>();
  // The baseline holds results that other files hold too.
  const seen = new Set<string>();
  for (const name of names.sort().slice(-most.files)) {
    for (const result of await readResults(join(folder, name))) {
      const spread = readSpread(result);
      const identity = JSON.stringify([result.run, result.name]);
      if (spread === undefined || seen.has(identity)) continue;
      seen.add(identity);
      const key = keyOf(result.hw_class, result.name);
      const spreads = [...(known.get(key)?.spreads ?? []), spread];
      known.set(key, { spreads, iterationsPerSample: result.iterations_per_sample });
    }
  }
  return (hardwareClass, name) => {
    const found = known.get(keyOf(hardwareClass, name));
    return found && { spread: poolSpreads(found.spreads, most.degrees), iterationsPerSample: found.iterationsPerSample };
  };
}
