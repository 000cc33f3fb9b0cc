import { ageKpis } from "@fleetmark/shared/judgement/freshness";
import { compareKpis, type KpiChange } from "@fleetmark/shared/judgement/kpi-change";
import { type HostKpi, type Kpi, readKpis } from "@fleetmark/shared/model/kpis";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { formatDuration } from "@fleetmark/shared/model/units";
import type { Source } from "../../client/source.js";
import type { Table } from "../../output/table.js";
import type { Colors } from "../../output/terminal.js";
import { escapeControls } from "../../output/width.js";
import { buildKpiTable, type KpiRow } from "../../tables/kpis.js";

/** What the suite gave, or what was known already where none was run. */
export interface Outcome {
  readonly host: string;
  /** Null where no suite was run. */
  readonly run: Run | null;
  readonly kpis: readonly HostKpi[];
  readonly results: readonly Result[];
  /** How the KPIs moved since the run before of the same suite, if there is one. */
  readonly changes: readonly KpiChange[];
}

async function findRunBefore(source: Source, { host, suite, started_us }: Run): Promise<Run | undefined> {
  const runs = await source.readRuns({ host, suite }, { limit: 10, beforeUs: started_us });
  return runs.find(({ completed }) => completed > 0);
}

/** Reads what a run gave, and how it compares with the one before. */
export async function readOutcome(source: Source, run: Run, catalogue: readonly Kpi[]): Promise<Outcome> {
  const results = await source.readResults({ run: run.run });
  const before = await findRunBefore(source, run);
  const changes = before === undefined ? [] : compareKpis(results, await source.readResults({ run: before.run }), catalogue);
  return { host: run.host, run, kpis: readKpis(results, catalogue), results, changes };
}

/** Reads what is known of a host that runs no suite. */
export async function readKnown(source: Source, host: string): Promise<Outcome> {
  const [known] = await source.readKpis({ host });
  return { host, run: null, kpis: known?.kpis ?? [], results: [], changes: [] };
}

export function tabulateOutcome({ host, kpis, changes, run }: Outcome, nowUs: number): Table<KpiRow> {
  const rows = ageKpis(kpis, nowUs).map((reading): KpiRow => {
    const change = changes.find(({ kpi }) => kpi === reading.kpi);
    return { host, hw_class: run?.hw_class ?? "", reading, ...(change === undefined ? {} : { change }) };
  });
  return buildKpiTable(rows, { hasHosts: false, hasAges: run === null });
}

/** Says how a run went, and which of its benchmarks failed. */
export function summarizeRun({ suite, host, completed, total, duration, failures }: Run, colour: Colors): string {
  const summary = `suite ${suite} on ${escapeControls(host)}: ${completed} of ${total} benchmarks in ${formatDuration(duration)}`;
  const failed = failures.map(({ name, error }) => `${colour.red("failed")} ${escapeControls(name)}: ${escapeControls(error)}\n`);
  return `${colour.bold(summary)}\n${failed.join("")}`;
}

/** 1 if a KPI breaches its alert threshold, 3 if one could not be measured, else 0. */
export function chooseExitCode({ kpis, run }: Outcome): number {
  if (run === null) return 0;
  if (kpis.some((reading) => reading.status === "alert")) return 1;
  return kpis.length === 0 || kpis.some((reading) => reading.status === "missing") ? 3 : 0;
}
