import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readBaseline, readPerson, writeResultFile } from "@fleetmark/bench";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { type ComparisonReport, isSteady } from "@fleetmark/shared/judgement/comparison";
import type { Result } from "@fleetmark/shared/model/result";
import {
  type Acceptance,
  type Baseline,
  parseNames,
  parseResultFile,
  type ResultFile,
} from "@fleetmark/shared/model/result-file";
import type { BenchOptions } from "./options.js";
import { readResultText } from "./result-text.js";

export const defaultBaseline = "baseline.json";

export function locateBaseline({ baseline, outputDir }: BenchOptions): string {
  return baseline ?? join(outputDir, defaultBaseline);
}

/** @throws FleetmarkError RESULT_FILE_INVALID */
export async function readWantedBaseline(options: BenchOptions): Promise<Baseline | undefined> {
  if (!options.compareBaseline) return undefined;
  return readBaseline(locateBaseline(options), options.map === undefined ? undefined : await readNames(options.map));
}

/** @throws FleetmarkError RESULT_FILE_INVALID */
async function readNames(path: string): Promise<ReadonlyMap<string, string>> {
  return parseNames(await readResultText(path), path);
}

/** Says who makes this level the baseline, and what had regressed by it. */
export function describeAcceptance(reason: string | true, report: ComparisonReport | undefined): Acceptance {
  const regressed = (report?.comparisons ?? []).filter(({ verdict }) => verdict === "regressed");
  return {
    by: readPerson(process.env),
    reason: reason === true ? "" : reason,
    time_us: Date.now() * 1e3,
    regressions: regressed.map(({ name, metric }) => `${name}: ${metric}`),
  };
}

/** What a run is to a baseline: all of its suite, or some benchmarks that were chosen. */
export interface BaselineScope {
  /** Benchmarks of the suite were chosen by a flag. */
  readonly hasChoice: boolean;
}

async function readFormer(path: string): Promise<ResultFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (thrown) {
    if (systemErrorCode(thrown) === "ENOENT") return undefined;
    throw new FleetmarkError("RESULT_FILE_INVALID", `${path}: ${errorMessage(thrown)}`, { cause: thrown });
  }
  return parseResultFile(text, path);
}

/**
 * Finds what of the former baseline stays: what a part of a suite did not measure, and what the suite measured without
 * a steady result.
 */
function keepFormer(former: ResultFile | undefined, file: ResultFile, steady: readonly Result[], isPart: boolean): Result[] {
  if (former === undefined || former.run.hw_class !== file.run.hw_class) return [];
  const replaced = new Set(steady.map(({ name }) => name));
  const asked = new Set([...file.results.map(({ name }) => name), ...file.run.failures.map(({ name }) => name)]);
  return former.results.filter(({ name }) => !replaced.has(name) && (isPart || asked.has(name)));
}

/**
 * Keeps the steady results as the baseline: a result whose times did not settle never enters one. A part of a suite
 * takes the place of its own benchmarks alone, and a run that was interrupted of none.
 * @throws FleetmarkError RESULT_FILE_INVALID where what lies there is no baseline, DATA_UNWRITABLE
 */
export async function saveBaseline(
  path: string,
  file: ResultFile,
  accepted: Acceptance | undefined,
  { hasChoice }: BaselineScope,
): Promise<void> {
  if (file.run.state === "interrupted") {
    process.stderr.write(`the run was interrupted: the baseline in ${path} stays as it was\n`);
    return;
  }
  const former = await readFormer(path);
  // One suite is no replacement of another either.
  const isPart = hasChoice || (former !== undefined && former.run.suite !== file.run.suite);
  if (isPart && former !== undefined && former.run.hw_class !== file.run.hw_class) {
    const message = `${path} is of other hardware (${former.run.hw_class}): run the whole suite to replace it, or name another with --baseline`;
    throw new FleetmarkError("RESULT_FILE_INVALID", message);
  }
  const steady = file.results.filter(isSteady);
  const kept = keepFormer(former, file, steady, isPart);
  await writeResultFile(path, { ...file, results: [...steady, ...kept], ...(accepted === undefined ? {} : { accepted }) });
  const left = file.results.length - steady.length;
  const rest = [
    kept.length === 0 ? "" : `; ${kept.length} of the former one stay`,
    left === 0 ? "" : `; ${left} that were not steady are left out`,
  ].join("");
  process.stderr.write(`baseline of ${steady.length + kept.length} results in ${path}${rest}\n`);
  if (accepted === undefined) return;
  const { by, reason, regressions } = accepted;
  process.stderr.write(`accepted by ${by}${reason === "" ? "" : `: ${reason}`} (${regressions.length} figures had regressed)\n`);
}
