import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Environment } from "@fleetmark/shared/judgement/explanation";
import { suggest } from "@fleetmark/shared/model/nearest";
import type { Result } from "@fleetmark/shared/model/result";
import { type BaselineRecord, baselineRecord } from "@fleetmark/shared/records/baseline";
import { resultRecord } from "@fleetmark/shared/records/result";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { readClockUs } from "../platform/clock.js";
import { type RecordOptions, recordOwn } from "../records/own-records.js";
import { findRecordsOfRun } from "../store/run-records.js";
import type { StoreReader } from "../store/store.js";
import { identify, readHostMemory } from "./cases.js";

/** What somebody decides of the baselines of a host. */
export interface BaselineOrder {
  readonly action: BaselineRecord["action"];
  readonly host: string;
  /** The full name of a benchmark; all that there are where it is left out. */
  readonly name?: string | undefined;
  /** The run whose results are pinned; the latest of each benchmark where it is left out. */
  readonly run?: string | undefined;
  /** Results of elsewhere that are pinned in place of own ones, with what their host was like. */
  readonly imported?: { readonly results: readonly Result[]; readonly environment: Environment } | undefined;
  readonly reason: string;
}

/** Decides what results are compared with, and keeps who did, when and why. */
export interface Baselines {
  list(host?: string): Promise<BaselineRecord[]>;
  /** @throws FleetmarkError HOST_UNKNOWN, RUN_UNKNOWN, BENCHMARK_UNKNOWN, STORE_FAILED */
  decide(order: BaselineOrder, by: string): Promise<BaselineRecord[]>;
}

export interface BaselinesOptions {
  readonly records: RecordOptions;
  readonly store: StoreReader;
}

/** The results that are meant: of elsewhere, of a run, or the latest of each benchmark. */
async function findMeant(store: StoreReader, { host, name, run, imported }: BaselineOrder): Promise<readonly Result[]> {
  if (imported !== undefined) return imported.results;
  const found =
    run === undefined
      ? await store.readLatest(resultRecord, { host })
      : await findRecordsOfRun(store, resultRecord, run, { host });
  if (found.length === 0 && run !== undefined) throw new FleetmarkError("RUN_UNKNOWN", `${host} has no results of a run ${run}`);
  if (found.length === 0) throw new FleetmarkError("HOST_UNKNOWN", `no host ${host} has results`);
  if (name === undefined) return found;
  const named = found.filter((result) => result.name === name);
  if (named.length > 0) return named;
  const names = found.map((result) => result.name);
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `${host} has no results of ${name}; ${suggest(name, names)}`);
}

type Decision = Pick<BaselineRecord, "pinned_result" | "pinned_environment" | "accepted_us">;

/** What is decided of one benchmark; undefined where nothing changes. */
type Decide = (result: Result, former: BaselineRecord | undefined) => Decision | undefined;

const keepAccepted = (former: BaselineRecord | undefined): number => former?.accepted_us ?? 0;

const unpin: Decide = (_, former) => (former?.pinned_result === undefined ? undefined : { accepted_us: keepAccepted(former) });

/** A result is pinned with what its host was like: of elsewhere, or in its own run. */
async function choosePinning(store: StoreReader, { host, imported }: BaselineOrder): Promise<Decide> {
  const { environments } = await readHostMemory(store, host);
  return (result, former) => ({
    pinned_result: result,
    pinned_environment: imported?.environment ?? environments.get(result.run) ?? {},
    accepted_us: keepAccepted(former),
  });
}

/** The level that a benchmark is at is accepted from when it began, where a verdict tells that. */
async function chooseAccepting(store: StoreReader, { host }: BaselineOrder): Promise<Decide> {
  const verdicts = new Map((await store.readLatest(verdictRecord, { host })).map((each) => [identify(each), each]));
  return (result) => {
    const verdict = verdicts.get(identify(result));
    const isOfResult = verdict?.time_us === result.time_us;
    return { accepted_us: isOfResult ? verdict.since_us : result.time_us };
  };
}

/** Opens the decisions that a store holds. */
export function createBaselines(options: BaselinesOptions): Baselines {
  const { store, records } = options;
  const list = (host?: string): Promise<BaselineRecord[]> => store.readLatest(baselineRecord, { host });
  return {
    list,
    decide: async (order, by) => {
      const { action, host, reason } = order;
      if (action !== "pin" && order.imported !== undefined)
        throw new FleetmarkError("REQUEST_INVALID", "results: only pinned results may come from elsewhere");
      const meant = await findMeant(store, order);
      const former = new Map((await list(host)).map((each) => [identify(each), each]));
      const decide = await { pin: choosePinning, unpin: async () => unpin, accept: chooseAccepting }[action](store, order);
      const timeUs = readClockUs();
      const decided = meant.flatMap((result): BaselineRecord[] => {
        const decision = decide(result, former.get(identify(result)));
        const { category, benchmark, runtime, device, params, name } = result;
        const identity = { host, category, benchmark, runtime, device, params, name };
        return decision === undefined ? [] : [{ ...identity, time_us: timeUs, action, by, reason, ...decision }];
      });
      if (decided.length > 0) await recordOwn(records, baselineRecord, ...decided);
      return decided;
    },
  };
}
