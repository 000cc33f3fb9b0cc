import { describeOtherMemory } from "@fleetmark/bench";
import { type ComparisonReport, countVerdicts } from "@fleetmark/shared/judgement/comparison";
import { printText } from "../output/formats.js";
import { type Colors, readWidth } from "../output/terminal.js";
import { wrapText } from "../output/width.js";
import { buildComparisonTable } from "../tables/comparison.js";

/** How results compare with former ones. */
export interface Compared {
  readonly report: ComparisonReport;
  /** What they are compared with, for people: the baseline, or another build. */
  readonly former: string;
}

/** Says in a line how many figures were judged, and how. */
function describeCounts({ report, former }: Compared): string {
  const { regressed, improved, unchanged, undecided, missing, added } = countVerdicts(report);
  const judged = regressed + improved + unchanged;
  return `${judged} of ${judged + undecided} figures judged: ${regressed} regressed, ${improved} improved, ${unchanged} unchanged, ${undecided} undecided; ${missing} benchmarks only in ${former}, ${added} not in it`;
}

/** Shows what moved and how, and what only one side has. */
export function printComparison(compared: Compared, colour: Colors): void {
  const { report, former } = compared;
  const { comparisons, added, missing, otherHardware } = report;
  process.stdout.write(`\nagainst ${former}\n`);
  if (otherHardware !== null) {
    const { before, after } = otherHardware;
    const doubt = `The baseline is of other hardware (${before}, now ${after}): only memory is judged.`;
    process.stdout.write(`${colour.yellow(wrapText(doubt, readWidth(process.stdout)))}\n`);
  }
  printText(buildComparisonTable(comparisons), "; --json has all");
  if (report.otherMemory.length > 0)
    process.stdout.write(`${wrapText(describeOtherMemory(report).trim(), readWidth(process.stdout))}\n`);
  for (const name of added) process.stdout.write(`not in ${former}: ${name}\n`);
  for (const name of missing) process.stdout.write(`only in ${former}: ${name}\n`);
  process.stdout.write(`${wrapText(describeCounts(compared), readWidth(process.stdout))}\n`);
}
