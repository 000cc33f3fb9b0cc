import { FleetmarkError } from "@fleetmark/shared/errors";
import { type ComparisonReport, compareWithBaseline, isFailure } from "@fleetmark/shared/judgement/comparison";
import type { Command } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { chooseColours } from "../../output/terminal.js";
import { escapeControls } from "../../output/width.js";
import { buildComparisonTable } from "../../tables/comparison.js";
import { addReadingHelp, addSourceFlags, withSource } from "./source-flags.js";
import { findSubject, readSubjectFile, type Subject } from "./subject.js";

export function defineCompare(command: Command): void {
  addSourceFlags(command)
    .argument("<before>", "a result file, a run's id, a host, or a hardware class")
    .argument("<after>", "what is compared with it, of any of these kinds")
    .addHelpText(
      "after",
      `
Of a host the latest result of each benchmark is taken; of a hardware class that
of the host in the middle. Exit code 1 if something of <after> is worse than in
<before>, by a regression of medium or high severity.`,
    );
  addReadingHelp(addFormatFlags(command), [
    "compare baseline.json fleetmark-results/results-01.json",
    "compare gpu-7 gpu-8",
    "compare amd-epyc_2c_24g intel-xeon_8c_32g --format md",
  ]);
  command.action(async (before: string, after: string, options: FormatOptions) => {
    const pair = await findPair(command, before, after);
    const report = compareSubjects(pair.before, pair.after);
    printReport(pair, report, options);
    if (isFailure(report)) process.exitCode = 1;
  });
}

interface Pair {
  readonly before: Subject;
  readonly after: Subject;
}

/** Two files are compared with nothing else opened. */
async function findPair(command: Command, before: string, after: string): Promise<Pair> {
  const files = [await readSubjectFile(before), await readSubjectFile(after)] as const;
  const [first, second] = files;
  if (first !== undefined && second !== undefined) return { before: first, after: second };
  return withSource(command, async (source) => ({
    before: first ?? (await findSubject(source, before)),
    after: second ?? (await findSubject(source, after)),
  }));
}

/** @throws FleetmarkError RESULT_FILE_INVALID, NOTHING_COMPARED */
function compareSubjects(before: Subject, after: Subject): ComparisonReport {
  const results = after.baseline.entries.flatMap(({ result }) => (result === undefined ? [] : [result]));
  if (results.length === 0 && after.baseline.entries.length > 0)
    throw new FleetmarkError(
      "RESULT_FILE_INVALID",
      `${after.description} holds single figures without spread: name it first, as what is compared with`,
    );
  const report = compareWithBaseline(results, before.baseline);
  if (report.comparisons.length > 0) return report;
  throw new FleetmarkError("NOTHING_COMPARED", `${before.description} and ${after.description} have no benchmark in common`);
}

function printReport({ before, after }: Pair, report: ComparisonReport, { format }: FormatOptions): void {
  const colour = chooseColours(process.stderr);
  const [was, is] = [before.description, after.description].map(escapeControls);
  tell(`${is} against ${was}`);
  const other = report.otherHardware;
  if (other !== null)
    tell(colour.yellow(`They are of different hardware (${other.before}, then ${other.after}): only memory is judged.`));
  const document = { before: before.description, after: after.description, ...report };
  printTable(buildComparisonTable(report.comparisons), document, format);
  if (report.missing.length > 0) tell(`only in ${was}: ${report.missing.map(escapeControls).join(", ")}`);
  if (report.added.length > 0) tell(`only in ${is}: ${report.added.map(escapeControls).join(", ")}`);
}
