import { type HostKpi, type Kpi, readKpis } from "./kpis.js";
import type { Result } from "./result.js";

/** The KPIs of one host, as results gave them. */
export interface HostKpis {
  readonly host: string;
  readonly hw_class: string;
  /** The run that was asked for; null for the latest result of each benchmark. */
  readonly run: string | null;
  readonly kpis: HostKpi[];
}

/**
 * Folds results into the KPIs of each host. Results come newest first, so the first one tells the host's hardware
 * class.
 */
export function foldHostKpis(results: readonly Result[], run: string | undefined, catalogue?: readonly Kpi[]): HostKpis[] {
  const byHost = new Map<string, Result[]>();
  for (const result of results) {
    const own = byHost.get(result.host);
    if (own === undefined) byHost.set(result.host, [result]);
    else own.push(result);
  }
  return [...byHost]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, own]) => ({ host, hw_class: own[0].hw_class, run: run ?? null, kpis: readKpis(own, catalogue) }));
}
