import { join } from "node:path";
import { readBaseline, readPerson, writeResultFile } from "@fleetmark/bench";
import { type ComparisonReport, isSteady } from "@fleetmark/shared/judgement/comparison";
import type { Acceptance, Baseline, ResultFile } from "@fleetmark/shared/model/result-file";
import type { BenchOptions } from "./options.js";

export const defaultBaseline = "baseline.json";

export function locateBaseline({ baseline, outputDir }: BenchOptions): string {
  return baseline ?? join(outputDir, defaultBaseline);
}

/** @throws FleetmarkError RESULT_FILE_INVALID */
export async function readWantedBaseline(options: BenchOptions): Promise<Baseline | undefined> {
  return options.compareBaseline ? readBaseline(locateBaseline(options)) : undefined;
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

/** Keeps the steady results as the baseline: a result whose times did not settle never enters one. */
export async function saveBaseline(path: string, file: ResultFile, accepted: Acceptance | undefined): Promise<void> {
  const steady = file.results.filter(isSteady);
  await writeResultFile(path, { ...file, results: steady, ...(accepted === undefined ? {} : { accepted }) });
  const left = file.results.length - steady.length;
  process.stderr.write(
    `baseline of ${steady.length} results in ${path}${left === 0 ? "" : `; ${left} that were not steady are left out`}\n`,
  );
  if (accepted === undefined) return;
  const { by, reason, regressions } = accepted;
  process.stderr.write(`accepted by ${by}${reason === "" ? "" : `: ${reason}`} (${regressions.length} figures had regressed)\n`);
}
