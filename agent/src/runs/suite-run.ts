import type { Logger } from "@fleetmark/shared/log";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import type { Fate } from "../batch/encoded-batch.js";
import type { Delivery } from "../delivery/delivery.js";
import type { Bench } from "./bench.js";
import type { QuietGate } from "./quiet-gate.js";
import { isChosen, type RunRequest } from "./run-request.js";

/**
 * One run of a suite, in processes of its own. What it gives goes out while it goes on:
 *
 *   run ── progress ──► shown, never stored
 *       ── quiet ─────► the gate: telemetry waits while a section is timed
 *       ── result ────► stamped by the agent's clock, delivered at once; its fate is kept
 *       ── end ───────► the run itself is delivered, after its results ──► recorded ──► all fates known: delivered
 */

/** What a run gave, and how many of its points the collector's store has not committed. */
export interface RunOutcome {
  readonly run: Run;
  readonly results: readonly Result[];
  readonly undelivered: number;
}

/** A run under way. */
export interface SuiteRun {
  /**
   * Resolves with the run when it has ended and all it gave is on its way; with undefined where the suite could not be
   * run. Never rejects.
   */
  readonly recorded: Promise<Run | undefined>;
  /** Resolves when the fate of all that it gave is known. Rejects when the suite could not be run. */
  readonly delivered: Promise<RunOutcome>;
}

/** Why a run was ended before it was through. */
export interface EarlyEnd {
  readonly state: "interrupted" | "yielded";
  readonly reason: string;
}

export interface SuiteRunOptions {
  readonly request: RunRequest;
  readonly host: string;
  readonly hardwareClass: string;
  /** Longest time between two starts of the schedule of the suite, seconds; undefined where it has none. */
  readonly everyS: number | undefined;
  readonly signal: AbortSignal;
  /** Why the signal was given. */
  readonly findEarlyEnd: () => EarlyEnd | undefined;
  /** Told how many benchmarks have ended, and how many there are, between two of them. */
  readonly onStep: (completed: number, total: number) => void;
  /** Told the name of each benchmark that gave a result. */
  readonly onMeasured: (name: string) => void;
  readonly runSuite: Bench["runSuite"];
  readonly delivery: Pick<Delivery, "clock" | "recordResult" | "report">;
  readonly gate: QuietGate;
  readonly logger: Logger;
}

interface SuiteRunState {
  readonly options: SuiteRunOptions;
  /** As they were delivered. */
  readonly results: Result[];
  readonly fates: Promise<Fate>[];
}

/** What a run's record says of how it came to be. */
export function describeLife({ trigger, schedule, command, continues }: RunRequest): Partial<Run> {
  const life = { trigger, schedule, command, continues };
  return Object.fromEntries(Object.entries(life).filter(([, value]) => value !== undefined));
}

function deliverResult({ options, results, fates }: SuiteRunState, result: Result): void {
  const { delivery, onMeasured, everyS } = options;
  // The suite reads the host's clock, which may step; the agent's own puts results in order with all else.
  const cadence = everyS === undefined ? {} : { every_s: everyS };
  const stamped = { ...result, ...cadence, time_us: delivery.clock.stamp() };
  results.push(stamped);
  onMeasured(result.name);
  fates.push(delivery.recordResult(resultRecord.toPoint(stamped)));
}

/** Delivers the run itself and says everywhere that it has ended. */
function deliverRun({ options: { delivery, logger }, fates }: SuiteRunState, stamped: Run): void {
  fates.push(delivery.recordResult(runRecord.toPoint(stamped)));
  const { run, suite, state, completed, total, failures, duration, reason } = stamped;
  delivery.report({ run, suite, completed, total, benchmark: "", elapsed_s: duration, remaining_s: 0 });
  for (const { name, error } of failures) logger.warn({ event: "benchmark_failed", code: "BENCHMARK_FAILED", name }, error);
  logger.info({ event: "run_ended", run, suite, state, completed, total, failed: failures.length, duration }, reason);
}

/** Resolves with the run when all that it gave is on its way. */
async function measureSuite(state: SuiteRunState): Promise<Run> {
  const { request, host, hardwareClass, signal, findEarlyEnd, onStep, runSuite, delivery, gate, logger } = state.options;
  const { suite } = request;
  logger.info({ event: "run_started", run: request.run, suite, trigger: request.trigger });
  const started_us = delivery.clock.stamp();
  try {
    const { run } = await runSuite({
      suite,
      host,
      hardwareClass,
      run: request.run,
      isChosen: (name) => isChosen(request, name),
      signal,
      onProgress: (progress) => {
        onStep(progress.completed, progress.total);
        delivery.report(progress);
      },
      onResult: (result) => deliverResult(state, result),
      onQuiet: (quiet) => gate.set(quiet),
    });
    const early = run.state === "finished" ? undefined : findEarlyEnd();
    const stamped = { ...run, ...describeLife(request), ...early, started_us, time_us: delivery.clock.stamp() };
    deliverRun(state, stamped);
    return stamped;
  } finally {
    gate.set(false);
  }
}

async function awaitFates({ results, fates }: SuiteRunState, measured: Promise<Run>): Promise<RunOutcome> {
  const run = await measured;
  const all = await Promise.all(fates);
  return { run, results, undelivered: all.filter((fate) => fate !== "committed").length };
}

export function startSuiteRun(options: SuiteRunOptions): SuiteRun {
  const state: SuiteRunState = { options, results: [], fates: [] };
  const measured = measureSuite(state);
  const recorded = measured.catch((thrown: unknown) => {
    options.logger.error({ event: "run_failed", suite: options.request.suite, err: thrown });
    return undefined;
  });
  return { recorded, delivered: awaitFates(state, measured) };
}
