import type { Breach } from "@fleetmark/shared/alerting/alert";
import { regressionAlerts } from "@fleetmark/shared/alerting/catalogue";
import { isStale } from "@fleetmark/shared/judgement/freshness";
import { formatQuantity } from "@fleetmark/shared/model/numbers";
import { alertRecord } from "@fleetmark/shared/records/alert";
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

/** The hosts of which somebody was told that they became slower, and that it goes on. */
async function findToldHosts(store: Pick<StoreReader, "readLatest">): Promise<Set<string>> {
  const told = await store.readLatest(alertRecord, { alert: plain.title });
  return new Set(told.flatMap(({ state, host }) => (state === "resolved" ? [] : [host])));
}

/** What is known of a benchmark on a host by name. */
const nameOne = (host: string | undefined, name: string | undefined): string => JSON.stringify([host, name]);

function findSlower(known: Known, confirmations: Confirmations, nowUs: number): Sight {
  const decided = new Set<string>();
  const breaches: Breach[] = [];
  for (const [key, standing] of known.standings) {
    const { time_us, host, name, isUndecided, slower } = standing;
    const isOver = isStale(time_us, nowUs, staleAfterS);
    // What decides nothing leaves its alert as it is, and so does what was not judged since this collector began.
    if (isUndecided && !isOver) continue;
    decided.add(nameOne(host, name));
    if (isOver || slower === undefined || isSettled(key, standing, known)) confirmations.forget(key);
    else {
      const confirmed = confirmations.find(key, slower, nowUs);
      if (confirmed !== undefined) breaches.push(...makeBreaches(slower, confirmed));
    }
  }
  confirmations.ask(nowUs);
  return { breaches, isUnknown: ({ labels }) => !decided.has(nameOne(labels.host, labels.benchmark)) };
}

/** Watches what was judged of results: what became slower, until it is as before, accepted, or called no regression. */
export function createVerdictWatcher(
  store: Pick<StoreReader, "readLatest" | "readNewest">,
  confirmations: Confirmations,
): Follower {
  const known: Known = { standings: new Map(), marks: new Map(), baselines: new Map() };
  const take = (verdicts: readonly VerdictRecord[], marks: readonly VerdictMark[], decided: readonly BaselineRecord[]): void => {
    keepNewest(known.standings, verdicts, stand);
    keepNewest(known.marks, marks, (mark) => mark);
    keepNewest(known.baselines, decided, (each) => ({ ...each, pinned_result: undefined }));
  };
  const catchUp = async (nowUs: number): Promise<void> => {
    const sinceUs = nowUs - catchUpBackUs;
    const verdicts = await readSince(store, verdictRecord, sinceUs);
    take(verdicts, await readSince(store, verdictMarkRecord, sinceUs), await readSince(store, baselineRecord, sinceUs));
  };
  /** A fleet may have a million verdicts: those that alerts were told of are read, and those of late. */
  const read = async (nowUs: number): Promise<void> => {
    for (const host of await findToldHosts(store)) {
      const verdicts = await store.readLatest(verdictRecord, { host });
      take(verdicts, await store.readLatest(verdictMarkRecord, { host }), await store.readLatest(baselineRecord, { host }));
    }
    await catchUp(nowUs);
  };
  let isRead = false;
  return {
    hear: (records) =>
      take(
        selectRecords(records, verdictRecord),
        selectRecords(records, verdictMarkRecord),
        selectRecords(records, baselineRecord),
      ),
    catchUp,
    tellsOf: (name) => name === plain.title || name === severe.title,
    look: async (nowUs) => {
      if (!isRead) await read(nowUs);
      isRead = true;
      return findSlower(known, confirmations, nowUs);
    },
  };
}
