import { verdicts } from "@fleetmark/shared/judgement/verdict";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { type Command, Option } from "commander";
import type { VerdictFilter } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { buildVerdictTable } from "../../tables/judged.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, withSource } from "./source-flags.js";

interface VerdictsOptions extends FormatOptions, Pick<VerdictFilter, "host" | "benchmark" | "verdict"> {
  readonly class?: string;
  readonly all?: boolean;
}

export function defineVerdicts(command: Command): void {
  addSourceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--class <name>", "of hosts of this hardware class only")
    .option("--benchmark <name>", "of this workload only")
    .addOption(new Option("--verdict <verdict>", "with this verdict only").choices(verdicts))
    .option("--all", "also those that are unchanged, or have nothing to be compared with")
    .addHelpText(
      "after",
      `
Each result is judged when its run has ended: against what was pinned, or else
the last results of the same host in the same environment, of the best level that
they had. The interval is that of one more result among them.`,
    );
  addReadingHelp(addFormatFlags(command), [
    "verdicts",
    "verdicts --verdict regressed --class amd-epyc_2c_24g",
    "verdicts --host gpu-7 --all --format csv",
  ]);
  command.action(async (options: VerdictsOptions) => {
    const { host, class: hw_class, benchmark, verdict, format } = options;
    const found = await withSource(command, (source) => source.readVerdicts({ host, hw_class, benchmark, verdict }));
    const shown = found.filter((each) => options.all === true || verdict !== undefined || isNews(each)).sort(compareNews);
    if (found.length === 0 && format === "table") tellNothingFound("verdicts", { host, benchmark });
    else if (shown.length === 0 && format === "table")
      tell(`nothing moved: ${found.length} benchmarks are as before (--all lists them)`);
    else printTable(buildVerdictTable(shown), shown, format);
  });
}

const order = ["regressed", "improved", "inconclusive", "not-steady", "unchanged"] as const;

/** What moved, or would have but for the machine. */
function isNews({ verdict, cause }: VerdictRecord): boolean {
  return verdict === "regressed" || verdict === "improved" || cause !== "";
}

/** Regressions first, the worst of them at the top. */
function compareNews(a: VerdictRecord, b: VerdictRecord): number {
  return order.indexOf(a.verdict) - order.indexOf(b.verdict) || b.change - a.change || (a.name < b.name ? -1 : 1);
}
