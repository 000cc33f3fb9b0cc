import type { Breach } from "@fleetmark/shared/alerting/alert";
import { regressionAlerts } from "@fleetmark/shared/alerting/catalogue";
import { isStale } from "@fleetmark/shared/judgement/freshness";
import { formatQuantity } from "@fleetmark/shared/model/numbers";
import { type BaselineRecord, baselineRecord } from "@fleetmark/shared/records/baseline";
import { selectRecords } from "@fleetmark/shared/records/record-kind";
import { type VerdictRecord, verdictRecord } from "@fleetmark/shared/records/verdict";
import { type VerdictMark, verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import { identify } from "../judge/cases.js";
import { readSince } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";
import { catchUpBackUs, type Follower, type Sight } from "./breaches.js";
import type { Confirmations } from "./confirmations.js";

const { plain, severe } = regressionAlerts;

/** A benchmark that was not judged for so long says nothing of how fast a host is: two weeks of a weekly suite. */
const staleAfterS = 15 * 86_400;

/** How a benchmark on a host stands; of what is not slower no more is kept, for there may be a million of them. */
interface Standing {
  readonly time_us: number;
  readonly host: string;
  readonly name: string;
  readonly isUndecided: boolean;
  readonly slower: VerdictRecord | undefined;
}

/** The latest of each benchmark on each host. */
interface Known {
  readonly standings: Map<string, Standing>;
  readonly marks: Map<string, VerdictMark>;
  readonly baselines: Map<string, BaselineRecord>;
}

function stand(record: VerdictRecord): Standing {
  const { time_us, host, name, verdict } = record;
  const isUndecided = verdict === "inconclusive" || verdict === "not-steady";
  return { time_us, host, name, isUndecided, slower: verdict === "regressed" ? record : undefined };
}

type Timed = Parameters<typeof identify>[0] & { readonly time_us: number };

function keepNewest<R extends Timed, K extends { readonly time_us: number }>(
  known: Map<string, K>,
  found: readonly R[],
  keep: (record: R) => K,
): void {
  for (const record of found) {
    const key = identify(record);
    if ((known.get(key)?.time_us ?? -1) <= record.time_us) known.set(key, keep(record));
  }
}

/** Whether somebody has said that it is as it should be. */
function isSettled(key: string, { time_us }: Standing, { marks, baselines }: Known): boolean {
  const mark = marks.get(key);
  if (mark?.mark === "false" && mark.verdict_us === time_us) return true;
  const decided = baselines.get(key);
  return decided?.action === "accept" && decided.time_us > time_us;
}

function describeChange({ host, name, before, after, unit, change, low, high, why, lasted }: VerdictRecord): string {
  const sign = (each: number): string => `${each > 0 ? "+" : ""}${each.toFixed(1)}`;
  const measure = unit === "%" ? "points" : "%";
  const interval = low === undefined || high === undefined ? "" : ` (${sign(low)} to ${sign(high)})`;
  const row = lasted === undefined || lasted < 2 ? "" : `, ${lasted} results in a row`;
  const from = `${formatQuantity({ unit }, before)} to ${formatQuantity({ unit }, after)}`;
  return `${name} on ${host} went from ${from}, ${sign(change)} ${measure}${interval}${row}. ${why.charAt(0).toUpperCase()}${why.slice(1)}.`;
}

function describeRemedy({ host }: VerdictRecord): string {
  return `Where that is as it should be: fleetmark baseline accept ${host}; where nothing is slower: fleetmark mark-verdict ${host} false.`;
}

/** @param confirmed whether it was measured again, in words */
function makeBreaches(verdict: VerdictRecord, confirmed: string): Breach[] {
  const { host, hw_class, name: benchmark, change, since_us: sinceUs } = verdict;
  const make = ({ title, severity, runbook, forS }: typeof severe | typeof plain): Breach => ({
    name: title,
    severity,
    labels: { host, hw_class, benchmark },
    forS,
    keepS: 0,
    value: change,
    threshold: verdict.low ?? 0,
    summary: `${benchmark} on ${host} is ${change.toFixed(1)} ${verdict.unit === "%" ? "points" : "%"} slower or larger than before`,
    description: [describeChange(verdict), confirmed, describeRemedy(verdict)].filter((each) => each !== "").join(" "),
    runbook,
    sinceUs,
  });
  return verdict.severity === "high" ? [make(plain), make(severe)] : [make(plain)];
}

/** Watches what was judged of results: what became slower, until it is as before, accepted, or called no regression. */
export function createVerdictWatcher(
  store: Pick<StoreReader, "readLatest" | "readNewest">,
  confirmations: Confirmations,
): Follower {
  const known: Known = { standings: new Map(), marks: new Map(), baselines: new Map() };
  let isRead = false;
  const take = (verdicts: readonly VerdictRecord[], marks: readonly VerdictMark[], decided: readonly BaselineRecord[]): void => {
    keepNewest(known.standings, verdicts, stand);
    keepNewest(known.marks, marks, (mark) => mark);
    keepNewest(known.baselines, decided, (each) => ({ ...each, pinned_result: undefined }));
  };
  const read = async (): Promise<void> => {
    const verdicts = await store.readLatest(verdictRecord, {});
    take(verdicts, await store.readLatest(verdictMarkRecord, {}), await store.readLatest(baselineRecord, {}));
    isRead = true;
  };
  const look = async (nowUs: number): Promise<Sight> => {
    if (!isRead) await read();
    const undecided = new Set<string>();
    const breaches: Breach[] = [];
    for (const [key, standing] of known.standings) {
      const { time_us, host, name, isUndecided, slower } = standing;
      if (isStale(time_us, nowUs, staleAfterS)) continue;
      if (isUndecided) undecided.add(JSON.stringify([host, name]));
      else if (slower === undefined || isSettled(key, standing, known)) confirmations.forget(key);
      else {
        const confirmed = confirmations.find(key, slower, nowUs);
        if (confirmed !== undefined) breaches.push(...makeBreaches(slower, confirmed));
      }
    }
    confirmations.ask(nowUs);
    return { breaches, isUnknown: ({ labels }) => undecided.has(JSON.stringify([labels.host, labels.benchmark])) };
  };
  return {
    hear: (records) =>
      take(
        selectRecords(records, verdictRecord),
        selectRecords(records, verdictMarkRecord),
        selectRecords(records, baselineRecord),
      ),
    catchUp: async (nowUs) => {
      const sinceUs = nowUs - catchUpBackUs;
      const verdicts = await readSince(store, verdictRecord, sinceUs);
      take(verdicts, await readSince(store, verdictMarkRecord, sinceUs), await readSince(store, baselineRecord, sinceUs));
    },
    tellsOf: (name) => name === plain.title || name === severe.title,
    look,
  };
}
