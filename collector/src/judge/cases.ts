import type { Environment, Sibling } from "@fleetmark/shared/judgement/explanation";
import type { Case, PastResult } from "@fleetmark/shared/judgement/judge-result";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { type BaselineRecord, baselineRecord } from "@fleetmark/shared/records/baseline";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { type VerdictRecord, verdictRecord } from "@fleetmark/shared/records/verdict";
import { type VerdictMark, verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import type { StoreReader, TagFilter } from "../store/store.js";

/** How far back is looked: results of one benchmark, and runs of one host. */
const mostResults = 60;
const mostRuns = 500;
/** What other hosts of a class did counts for so long. */
const siblingsWithinUs = 3 * 86_400e6;

/** What of a host holds for all results of one of its runs. */
export interface HostMemory {
  /** By run. */
  readonly environments: ReadonlyMap<string, Environment>;
  /** By benchmark. */
  readonly baselines: ReadonlyMap<string, BaselineRecord>;
  /** The latest verdict of each benchmark, and what somebody last said of one. */
  readonly verdicts: ReadonlyMap<string, VerdictRecord>;
  readonly marks: ReadonlyMap<string, VerdictMark>;
}

type Identity = Pick<Result, "host" | "category" | "benchmark" | "runtime" | "device" | "params">;

/** The tags by which results of one benchmark on one host are found. */
export function tagsOf({ host, category, benchmark, runtime, device, params }: Identity): TagFilter {
  return { host, category, benchmark, runtime, device, params };
}

/** Names a benchmark on a host. */
export function identify(of: Identity): string {
  return JSON.stringify(tagsOf(of));
}

export function readEnvironment({ fingerprint, commit }: Pick<Run, "fingerprint" | "commit">): Environment {
  return commit === undefined ? fingerprint : { ...fingerprint, commit };
}

type Reader = Pick<StoreReader, "readNewest" | "readLatest">;

/** Reads what holds for all results of a run. @throws FleetmarkError STORE_FAILED */
export async function readHostMemory(store: Reader, host: string): Promise<HostMemory> {
  const runs = await store.readNewest(runRecord, { tags: { host }, limit: mostRuns });
  const decided = await store.readLatest(baselineRecord, { host });
  const verdicts = await store.readLatest(verdictRecord, { host });
  const marks = await store.readLatest(verdictMarkRecord, { host });
  return {
    environments: new Map(runs.map((run) => [run.run, readEnvironment(run)])),
    baselines: new Map(decided.map((each) => [identify(each), each])),
    verdicts: new Map(verdicts.map((each) => [identify(each), each])),
    marks: new Map(marks.map((each) => [identify(each), each])),
  };
}

/**
 * Reads how other hosts of the class did of late at the same benchmark.
 * @throws FleetmarkError STORE_FAILED
 */
export async function readSiblings(store: Reader, result: Result): Promise<Sibling[]> {
  const { host: _, ...benchmark } = tagsOf(result);
  const found = await store.readLatest(verdictRecord, { ...benchmark, hw_class: result.hw_class });
  return found.filter(({ host, time_us }) => host !== result.host && Math.abs(result.time_us - time_us) <= siblingsWithinUs);
}

/**
 * What is known of the former verdict, and what was said since. A result that came late, behind a verdict on a later
 * one, is judged as if nothing had been learned.
 */
function recallVerdict(result: Result, { verdicts, marks }: HostMemory): Pick<Case, "former" | "mark"> {
  const former = verdicts.get(identify(result));
  if (former === undefined || former.time_us >= result.time_us) return {};
  const said = marks.get(identify(result));
  // It was learned with the former verdict unless it was said after that one's result.
  return { former, mark: said === undefined || said.time_us < former.time_us ? undefined : said.mark };
}

/**
 * Reads what a result is judged by, but for its siblings: they explain, and decide nothing.
 * @throws FleetmarkError STORE_FAILED
 */
export async function readCase(store: Reader, result: Result, memory: HostMemory, falseAlarmsPerYear: number): Promise<Case> {
  const { environments, baselines } = memory;
  const tags = tagsOf(result);
  const newest = await store.readNewest(resultRecord, { tags, beforeUs: result.time_us, limit: mostResults });
  const recall = (each: Result): PastResult => ({ result: each, environment: environments.get(each.run) ?? {} });
  const decided = baselines.get(identify(result));
  const { pinned_result: pinned, pinned_environment: pinnedEnvironment = {} } = decided ?? {};
  return {
    result,
    environment: environments.get(result.run) ?? {},
    history: newest.reverse().map(recall),
    pinned: pinned === undefined ? [] : [{ result: pinned, environment: pinnedEnvironment }],
    acceptedUs: decided?.accepted_us ?? 0,
    falseAlarmsPerYear,
    ...recallVerdict(result, memory),
    siblings: [],
  };
}
