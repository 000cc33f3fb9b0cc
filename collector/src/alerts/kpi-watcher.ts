import type { Breach } from "@fleetmark/shared/alerting/alert";
import { describeKpiAlert, nameKpiPage } from "@fleetmark/shared/alerting/catalogue";
import { defaultStaleAfterS, isStale } from "@fleetmark/shared/judgement/freshness";
import { type Kpi, kpis, selectKpis } from "@fleetmark/shared/model/kpis";
import { formatNumber } from "@fleetmark/shared/model/numbers";
import { formatBenchmarkName } from "@fleetmark/shared/model/result";
import { type KpiRecord, kpiRecord } from "@fleetmark/shared/records/kpi";
import { selectRecords } from "@fleetmark/shared/records/record-kind";
import { readSince } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";
import { catchUpBackUs, type Follower, type Sight } from "./breaches.js";

/** Between two looks while nothing was measured, microseconds. */
const lookEveryUs = 60e6;

/** A KPI of a host by the benchmark that speaks for it, latest of each. */
type Readings = Map<string, KpiRecord>;

function nameReading({ kpi, host, benchmark, runtime, device, params }: KpiRecord): string {
  return JSON.stringify([kpi, host, benchmark, runtime, device, params]);
}

function keepNewest(readings: Readings, found: readonly KpiRecord[]): void {
  for (const record of found) {
    const key = nameReading(record);
    const known = readings.get(key);
    if (known === undefined || known.time_us <= record.time_us) readings.set(key, record);
  }
}

/** Of what is not stale, the reading that speaks for each host and KPI. */
function findSpeakers(readings: Iterable<KpiRecord>, catalogue: readonly Kpi[], nowUs: number): [KpiRecord, Kpi][] {
  const speakers = new Map<string, [KpiRecord, Kpi]>();
  for (const record of readings) {
    if (isStale(record.time_us, nowUs, record.stale_after_s ?? defaultStaleAfterS)) continue;
    const kpi = selectKpis(catalogue, record).find(({ id }) => id === record.kpi);
    if (kpi === undefined) continue;
    const key = JSON.stringify([record.host, record.kpi]);
    const known = speakers.get(key)?.[0];
    const sign = (kpi.better === "lower") === (kpi.speaks === "worst") ? 1 : -1;
    if (known === undefined || sign * (record.value - known.value) > 0) speakers.set(key, [record, kpi]);
  }
  return [...speakers.values()];
}

function describeReading(
  { host, benchmark, params, runtime, device, value, low, high }: KpiRecord,
  kpi: Kpi,
  limit: number,
): string {
  const side = kpi.better === "lower" ? "over" : "under";
  const interval = low === high ? "" : ` (${formatNumber(low)} to ${formatNumber(high)})`;
  const name = formatBenchmarkName(benchmark, params, runtime, device);
  return `${kpi.title} on ${host} is ${formatNumber(value)} ${kpi.unit}${interval}, ${side} ${formatNumber(limit)} ${kpi.unit}, by ${name}. Look first whether other hosts of the same hardware class changed too.`;
}

/** A KPI of the project has a page, whatever it is called here; one of a person's own has none. */
function findRunbook({ id }: Kpi): string {
  const known = kpis.find((kpi) => kpi.id === id);
  return known === undefined ? "" : nameKpiPage(known);
}

function makeBreach(record: KpiRecord, kpi: Kpi, severity: Breach["severity"]): Breach {
  const { title: name, forS } = describeKpiAlert(kpi, severity);
  const threshold = severity === "critical" ? record.alert : record.target;
  return {
    name,
    severity: severity === "critical" ? (kpi.severity ?? "critical") : "warning",
    labels: { host: record.host, hw_class: record.hw_class, kpi: kpi.id },
    forS: kpi.forS ?? forS,
    keepS: 0,
    value: record.value,
    threshold,
    summary: `${name} on ${record.host}`,
    description: describeReading(record, kpi, threshold),
    runbook: findRunbook(kpi),
    sinceUs: record.time_us,
  };
}

/** What a KPI that is past its alert threshold is past as well. */
function makeBreaches(record: KpiRecord, kpi: Kpi): Breach[] {
  if (record.status === "alert") return [makeBreach(record, kpi, "warning"), makeBreach(record, kpi, "critical")];
  return record.status === "missed" ? [makeBreach(record, kpi, "warning")] : [];
}

/** Watches the KPIs of hosts, as their latest results give them. */
export function createKpiWatcher(store: Pick<StoreReader, "readLatest" | "readNewest">, catalogue: readonly Kpi[]): Follower {
  const readings: Readings = new Map();
  let isRead = false;
  const names = new Set(
    catalogue.flatMap((kpi) => [describeKpiAlert(kpi, "warning").title, describeKpiAlert(kpi, "critical").title]),
  );
  let seen: { readonly atUs: number; readonly sight: Sight } | undefined;
  const judge = (nowUs: number): Sight => {
    const speakers = findSpeakers(readings.values(), catalogue, nowUs);
    // What lies on both sides of a line, or did not settle, neither begins nor ends an alert.
    const undecided = new Set(
      speakers.filter(([{ status }]) => status === "undecided").map(([{ host, kpi }]) => JSON.stringify([host, kpi])),
    );
    return {
      breaches: speakers.flatMap(([record, kpi]) => makeBreaches(record, kpi)),
      isUnknown: ({ labels }) => undecided.has(JSON.stringify([labels.host, labels.kpi])),
    };
  };
  const take = (records: readonly KpiRecord[]): void => {
    if (records.length > 0) seen = undefined;
    keepNewest(readings, records);
  };
  const look = async (nowUs: number): Promise<Sight> => {
    if (!isRead) take(await store.readLatest(kpiRecord, {}));
    isRead = true;
    // Without a new reading nothing changes but that some become stale.
    if (seen === undefined || Math.abs(nowUs - seen.atUs) >= lookEveryUs) seen = { atUs: nowUs, sight: judge(nowUs) };
    return seen.sight;
  };
  return {
    hear: (records) => take(selectRecords(records, kpiRecord)),
    catchUp: async (nowUs) => take(await readSince(store, kpiRecord, nowUs - catchUpBackUs)),
    tellsOf: (name) => names.has(name),
    look,
  };
}
