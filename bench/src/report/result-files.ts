import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Baseline, parseBaseline, type ResultFile } from "@fleetmark/shared/model/result-file";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { checkFolder } from "@fleetmark/shared/tools/folder-check";
import { version } from "@fleetmark/shared/version";
import type { SuiteOutcome } from "../measure/suite-run.js";

/** Returns what a result file holds of a run. */
export function buildResultFile({ run, results }: Pick<SuiteOutcome, "run" | "results">): ResultFile {
  return { format: "fleetmark-results/1", fleetmark_version: version, run, results };
}

/**
 * Makes the folder of result files: asked for before a run, so that no hours are spent on what can't be written.
 * @throws FleetmarkError DATA_UNWRITABLE
 */
export async function makeResultFolder(path: string): Promise<void> {
  const found = await checkFolder(path, "make");
  if (!found.ok) throw new FleetmarkError("DATA_UNWRITABLE", `${path}: ${found.reason}`);
}

/**
 * Writes a result file, its folder too. It has another name until it is whole, so that no reader and no crash ever
 * meets half of it.
 * @throws FleetmarkError DATA_UNWRITABLE
 */
export async function writeResultFile(path: string, file: ResultFile): Promise<void> {
  try {
    await makeFolder(dirname(path));
    await writeFile(`${path}.part`, `${JSON.stringify(file, null, 2)}\n`);
    await rename(`${path}.part`, path);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
}

/**
 * Reads a result file, of Fleetmark or of the Python suite, to compare with.
 * @param names what benchmarks of another suite are called here
 * @throws FleetmarkError RESULT_FILE_INVALID when it can't be read or is none
 */
export async function readBaseline(path: string, names?: ReadonlyMap<string, string>): Promise<Baseline> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new FleetmarkError("RESULT_FILE_INVALID", `${path}: ${errorMessage(cause)}`, { cause });
  }
  return parseBaseline(text, path, names);
}
