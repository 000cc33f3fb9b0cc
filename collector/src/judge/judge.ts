import { judgeResult } from "@fleetmark/shared/judgement/judge-result";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { selectRecords } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { recordVerdict, type VerdictRecord, verdictRecord } from "@fleetmark/shared/records/verdict";
import { createPause, type Pause } from "@fleetmark/shared/waiting";
import type { CommitListener } from "../ingest/writer.js";
import { readClockUs } from "../platform/clock.js";
import { type RecordOptions, readSince, recordOwn } from "../records/own-records.js";
import { findRecordsOfRun } from "../store/run-records.js";
import type { StoreReader } from "../store/store.js";
import type { Metrics } from "../telemetry/metrics.js";
import { readCase, readHostMemory, readSiblings } from "./cases.js";

/**
 * Judges what was committed: a run that has ended, result by result, each by those before it. A verdict's identity is
 * that of its result, so that who judges, and how often, makes no difference; runs that have no verdict, for the
 * collector ended or the store failed meanwhile, are found by a sweep at start.
 *
 *   committed ─► runs that wait ─► read their cases ─► judge ─► one transaction of verdicts
 *   sweep ──────────▲                     └─ the store fails: once more, after a pause that grows
 */
export interface Judge extends Running {
  readonly hear: CommitListener;
}

export interface JudgeOptions {
  readonly records: RecordOptions;
  readonly store: StoreReader;
  readonly metrics: Pick<Metrics, "verdicts">;
  readonly logger: Logger;
  /** How often a benchmark that did not change may be called slower, in a year. */
  readonly falseAlarmsPerYear: number;
}

/** A sweep looks so far back for runs; which of them were judged already is seen run by run. */
const sweepBackUs = 7 * 86_400e6;
/** What the run under way may take at the end, in seconds; what has no verdict then is found by the next sweep. */
const endWithinS = 1;
/** Seconds to wait after a failure of the store, and at most. */
const firstPauseS = 1;
const longestPauseS = 60;

/** Other collectors may commit what a run brought a little later than its end: seconds between looks, and looks. */
const awaitResults = { everyS: 1, looks: 5 } as const;

type AwaitedRun = Pick<Run, "run" | "host" | "completed">;

/** Reads the results of a run, waiting a little for those that are missing. */
async function readResults(
  { store }: JudgeOptions,
  { run, host, completed }: AwaitedRun,
  pausing: Pause,
): Promise<readonly Result[]> {
  for (let looks = 1; ; looks++) {
    const found = await findRecordsOfRun(store, resultRecord, run, { host });
    if (found.length >= completed || looks === awaitResults.looks) return found;
    await pausing.wait(awaitResults.everyS);
  }
}

/** Judges the results of a run that have no verdict yet, in the order in which they were measured. */
async function judgeRun(options: JudgeOptions, awaited: AwaitedRun, pausing: Pause): Promise<VerdictRecord[]> {
  const { store, records, falseAlarmsPerYear } = options;
  const { run, host, completed } = awaited;
  const known = await findRecordsOfRun(store, verdictRecord, run, { host });
  if (known.length >= completed) return [];
  const nameOne = ({ name, time_us }: Pick<Result, "name" | "time_us">): string => `${time_us} ${name}`;
  const judged = new Set(known.map(nameOne));
  const found = await readResults(options, awaited, pausing);
  const left = found.filter((result) => !judged.has(nameOne(result))).sort((a, b) => a.time_us - b.time_us);
  if (left.length === 0) return [];
  const memory = await readHostMemory(store, host);
  const verdicts: VerdictRecord[] = [];
  for (const result of left) {
    const given = await readCase(store, result, memory, falseAlarmsPerYear);
    const alone = judgeResult(given);
    // A class may have hundreds of hosts: they are asked for only where there is something to explain.
    const explained = alone.cause === "" ? alone : judgeResult({ ...given, siblings: await readSiblings(store, result) });
    verdicts.push(recordVerdict(result, explained));
  }
  await recordOwn(records, verdictRecord, ...verdicts);
  return verdicts;
}

function tellVerdicts({ logger, metrics }: JudgeOptions, { run, host }: AwaitedRun, verdicts: readonly VerdictRecord[]): void {
  if (verdicts.length === 0) return;
  for (const { verdict } of verdicts) metrics.verdicts.inc({ verdict });
  const regressed = verdicts.filter(({ verdict }) => verdict === "regressed");
  logger.info({ event: "run_judged", run, host, verdicts: verdicts.length, regressed: regressed.length }, "a run was judged");
}

/** Begins to judge. */
export function startJudge(options: JudgeOptions): Judge {
  const { logger } = options;
  const waiting = new Map<string, AwaitedRun>();
  const pausing = createPause();
  const sweepPausing = createPause();
  const ending = createPause();
  let isStopped = false;
  let working: Promise<void> | undefined;

  const work = async (): Promise<void> => {
    let pauseS = firstPauseS;
    for (const [id, run] of waiting) {
      if (isStopped) break;
      try {
        tellVerdicts(options, run, await judgeRun(options, run, pausing));
        waiting.delete(id);
        pauseS = firstPauseS;
      } catch (thrown) {
        if (isStopped) break;
        logger.warn({ event: "run_not_judged", run: run.run, host: run.host, err: thrown }, "a run can't be judged yet");
        waiting.delete(id);
        waiting.set(id, run);
        await pausing.wait(pauseS);
        pauseS = Math.min(longestPauseS, 2 * pauseS);
      }
    }
    working = undefined;
  };
  const add = (runs: readonly AwaitedRun[]): void => {
    for (const { run, host, completed } of runs) waiting.set(JSON.stringify([host, run]), { run, host, completed });
    if (waiting.size > 0 && !isStopped) working ??= work();
  };
  const lookBack = async (): Promise<void> => {
    for (let pauseS = firstPauseS; !isStopped; pauseS = Math.min(longestPauseS, 2 * pauseS)) {
      try {
        return add((await readSince(options.store, runRecord, readClockUs() - sweepBackUs)).reverse());
      } catch (thrown) {
        if (isStopped) return;
        logger.warn({ event: "verdicts_not_swept", err: thrown }, "what has no verdict can't be read yet");
        await sweepPausing.wait(pauseS);
      }
    }
  };
  const sweeping = lookBack();
  return {
    hear: (committed) => add(selectRecords(committed, runRecord)),
    stop: async () => {
      isStopped = true;
      pausing.end();
      sweepPausing.end();
      await Promise.race([Promise.all([sweeping, working]), ending.wait(endWithinS)]);
      ending.end();
    },
  };
}
