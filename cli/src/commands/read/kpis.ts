import { ageKpis } from "@fleetmark/shared/judgement/freshness";
import { type Command, Option } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildKpiTable } from "../../tables/kpis.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, readSeconds, withSource } from "./source-flags.js";

interface KpisOptions extends FormatOptions {
  readonly host?: string;
  readonly run?: string;
  readonly staleAfter?: number;
}

export function defineKpis(command: Command): void {
  addSourceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--run <id>", "of this run, instead of the latest result of each benchmark")
    .addOption(
      new Option(
        "--stale-after <duration>",
        "what is older is stale (default: twice the time of the host's schedule, 26h without)",
      ).argParser(readSeconds),
    )
    .addHelpText("after", "\nExit code 1 if a KPI that is not stale breaches its alert threshold.");
  addReadingHelp(addFormatFlags(command), [
    "kpis",
    "kpis --host gpu-7 --stale-after 7d",
    "kpis --json | jq '.[].kpis[] | select(.status == \"alert\")'",
  ]);
  command.action(async (options: KpisOptions) => {
    const { host, run, staleAfter, format } = options;
    const found = await withSource(command, (source) => source.readKpis({ host, run }));
    const nowUs = Date.now() * 1000;
    const hosts = found.map((each) => ({ ...each, kpis: ageKpis(each.kpis, nowUs, staleAfter) }));
    const rows = hosts.flatMap(({ kpis, ...each }) => kpis.map((reading) => ({ ...each, reading })));
    if (rows.length === 0 && format === "table") tellNothingFound("KPIs", options);
    else printTable(buildKpiTable(rows, { hasHosts: hosts.length > 1, hasAges: true }), hosts, format);
    if (rows.some(({ reading }) => reading.status === "alert")) process.exitCode = 1;
  });
}
