import { writeResultFile } from "@fleetmark/bench";
import { baselinesAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { isSteady } from "@fleetmark/shared/judgement/comparison";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { parseResultFile } from "@fleetmark/shared/model/result-file";
import { version } from "@fleetmark/shared/version";
import type { Command } from "commander";
import { readResultText } from "../../bench/result-text.js";
import { askForChange } from "../../client/asking.js";
import type { Source } from "../../client/source.js";
import { printJson, tell } from "../../output/message.js";
import { findPlace } from "../fleet/place.js";
import { addSourceFlags, withSource } from "../read/source-flags.js";
import { addDecideFlags, printDecided } from "./decide.js";

interface ExportOptions {
  readonly output: string;
  readonly json?: boolean;
}

/** What a host is compared with: pinned results, and else the latest steady one of each benchmark. */
async function readHostBaseline(source: Source, host: string): Promise<Result[]> {
  const pinned = (await source.readBaselines(host)).flatMap(({ pinned_result: result }) =>
    result === undefined ? [] : [result],
  );
  const names = new Set(pinned.map(({ name }) => name));
  const latest = await source.readResults({ host });
  return [...pinned, ...latest.filter((result) => !names.has(result.name) && isSteady(result))];
}

/** @throws FleetmarkError RUN_UNKNOWN when the host has no run that tells what it is like */
async function findRun(source: Source, host: string): Promise<Run> {
  const [newest] = await source.readRuns({ host }, { limit: 1 });
  if (newest === undefined) throw new FleetmarkError("RUN_UNKNOWN", `no run of ${host} has ended yet`);
  return newest;
}

export function defineBaselineExport(command: Command): void {
  addSourceFlags(command)
    .option("-o, --output <file>", "where it is written", "baseline.json")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
The file is one of \`fleetmark bench\`, and has the keys of the Python suite's: a
run is compared with it by --baseline FILE --compare-baseline, on any host.

Examples:
  fleetmark baseline export gpu-7 -o gpu-7.json`,
    );
  command.action(async (host: string, { output, json }: ExportOptions) => {
    const { run, results } = await withSource(command, async (source) => ({
      run: await findRun(source, host),
      results: await readHostBaseline(source, host),
    }));
    await writeResultFile(output, { format: "fleetmark-results/1", fleetmark_version: version, run, results });
    if (json) printJson({ file: output, host, results: results.length });
    else tell(`${results.length} results of ${host} are in ${output}`);
  });
}

export function defineBaselineImport(command: Command): void {
  addDecideFlags(command, ["import gpu-8 gpu-7.json --reason 'must be as fast as its twin'"]);
  command.action(async (host: string, file: string, { reason, json }: { reason: string; json?: boolean }) => {
    const { run, results } = parseResultFile(await readResultText(file), file);
    const steady = results.filter(isSteady);
    const imported = { results: steady, environment: run.fingerprint };
    const place = await findPlace(command);
    printDecided(await askForChange(place, "baselines", baselinesAnswer, { action: "pin", host, imported, reason }), json);
  });
}
