import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { type VerdictRecord, verdictRecord } from "@fleetmark/shared/records/verdict";
import { type VerdictMark, verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import { readClockUs } from "../platform/clock.js";
import { type RecordOptions, recordOwn } from "../records/own-records.js";
import { findRecordsOfRun } from "../store/run-records.js";
import type { StoreReader } from "../store/store.js";

/** What somebody says of the verdicts of a host. */
export interface MarkOrder {
  readonly mark: VerdictMark["mark"];
  readonly host: string;
  /** The full name of a benchmark; all that were called slower where it is left out. */
  readonly name?: string | undefined;
  /** The run that is meant; the latest verdict of each benchmark where it is left out. */
  readonly run?: string | undefined;
  readonly reason: string;
}

export interface MarksOptions {
  readonly records: RecordOptions;
  readonly store: StoreReader;
}

async function findVerdicts(store: StoreReader, { host, run }: MarkOrder): Promise<readonly VerdictRecord[]> {
  const found =
    run === undefined
      ? await store.readLatest(verdictRecord, { host })
      : await findRecordsOfRun(store, verdictRecord, run, { host });
  if (found.length > 0) return found;
  throw run === undefined
    ? new FleetmarkError("HOST_UNKNOWN", `no host ${host} has verdicts`)
    : new FleetmarkError("RUN_UNKNOWN", `${host} has no verdicts of a run ${run}`);
}

/** The regressions that are meant. */
async function findMeant(store: StoreReader, order: MarkOrder): Promise<readonly VerdictRecord[]> {
  const { host, name } = order;
  const found = await findVerdicts(store, order);
  const named = found.filter((each) => name === undefined || each.name === name);
  if (named.length === 0) {
    const names = found.map((each) => each.name);
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `${host} has no verdict on ${name}; ${suggest(name ?? "", names)}`);
  }
  const slower = named.filter(({ verdict }) => verdict === "regressed");
  if (slower.length > 0) return slower;
  const what = name === undefined ? "nothing" : `${name} was ${named[0].verdict}; it`;
  throw new FleetmarkError("REQUEST_INVALID", `name: ${what} was not called slower, so there is nothing to mark`);
}

/**
 * Keeps what somebody says of regressions: the next results of these benchmarks are judged the more carefully.
 * @throws FleetmarkError HOST_UNKNOWN, RUN_UNKNOWN, BENCHMARK_UNKNOWN, REQUEST_INVALID, STORE_FAILED
 */
export async function markVerdicts({ store, records }: MarksOptions, order: MarkOrder, by: string): Promise<VerdictMark[]> {
  const meant = await findMeant(store, order);
  const timeUs = readClockUs();
  const { mark, reason } = order;
  const said = meant.map((verdict): VerdictMark => {
    const { host, category, benchmark, runtime, device, params, name, run, time_us } = verdict;
    const identity = { host, category, benchmark, runtime, device, params, name };
    return { ...identity, time_us: timeUs, mark, run, verdict_us: time_us, by, reason };
  });
  await recordOwn(records, verdictMarkRecord, ...said);
  return said;
}
