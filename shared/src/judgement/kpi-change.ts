import { findKpis, type Kpi, readKpi, readKpis } from "../model/kpis.js";
import type { Result } from "../model/result.js";
import { compareFigure } from "./comparison.js";
import type { Severity } from "./severity.js";
import type { Verdict } from "./verdict.js";

/** How a KPI moved from one run of a host to a later one, by the benchmark that speaks for the host now. */
export interface KpiChange {
  readonly kpi: string;
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** after / before − 1 in percent, of the KPI itself; for an overhead the difference in percentage points. */
  readonly change: number;
  readonly verdict: Verdict;
  readonly severity: Severity;
}

/** Judges each KPI that both runs have of the same benchmark. */
export function compareKpis(after: readonly Result[], before: readonly Result[], catalogue?: readonly Kpi[]): KpiChange[] {
  return readKpis(after, catalogue).flatMap(({ kpi: id, value, name }) => {
    const result = after.find((each) => each.name === name);
    const former = before.find((each) => each.name === name);
    if (result === undefined || former === undefined || value === null) return [];
    const kpi = findKpis(result, catalogue).find((each) => each.id === id);
    if (kpi === undefined) return [];
    const { verdict, severity } = compareFigure(result, former);
    const was = readKpi(kpi, former).value;
    const change = result.quantity === "overhead" ? value - was : 100 * (value / was - 1);
    return [{ kpi: id, name: result.name, before: was, after: value, change, verdict, severity }];
  });
}
