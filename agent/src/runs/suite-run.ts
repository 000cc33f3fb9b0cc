import type { Logger } from "@fleetmark/shared/log";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import type { Fate } from "../batch/encoded-batch.js";
import type { Delivery } from "../delivery/delivery.js";
import type { Bench } from "./bench.js";
import type { QuietGate } from "./quiet-gate.js";

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
  /** Resolves when the run has ended and all it gave is on its way; never rejects. */
  readonly recorded: Promise<void>;
  /** Resolves when the fate of all that it gave is known. Rejects when the suite could not be run. */
  readonly delivered: Promise<RunOutcome>;
}

export interface SuiteRunOptions {
  readonly suite: string;
  readonly host: string;
  readonly hardwareClass: string;
  readonly signal: AbortSignal;
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

function deliverResult({ options: { delivery }, results, fates }: SuiteRunState, result: Result): void {
  // The suite reads the host's clock, which may step; the agent's own puts results in order with all else.
  const stamped = { ...result, time_us: delivery.clock.stamp() };
  results.push(stamped);
  fates.push(delivery.recordResult(resultRecord.toPoint(stamped)));
}

/** Delivers the run itself and says everywhere that it has ended. */
function deliverRun({ options: { suite, delivery, logger }, fates }: SuiteRunState, stamped: Run): void {
  fates.push(delivery.recordResult(runRecord.toPoint(stamped)));
  const { run, state, completed, total, failures, duration } = stamped;
  delivery.report({ run, suite, completed, total, benchmark: "", elapsed_s: duration, remaining_s: 0 });
  for (const { name, error } of failures) logger.warn({ event: "benchmark_failed", code: "BENCHMARK_FAILED", name }, error);
  logger.info({ event: "run_ended", run, suite, state, completed, total, failed: failures.length, duration });
}

/** Resolves with the run when all that it gave is on its way. */
async function measureSuite(state: SuiteRunState): Promise<Run> {
  const { suite, host, hardwareClass, signal, runSuite, delivery, gate, logger } = state.options;
  logger.info({ event: "run_started", suite });
  const started_us = delivery.clock.stamp();
  try {
    const { run } = await runSuite({
      suite,
      host,
      hardwareClass,
      signal,
      onProgress: (progress) => delivery.report(progress),
      onResult: (result) => deliverResult(state, result),
      onQuiet: (quiet) => gate.set(quiet),
    });
    const stamped = { ...run, started_us, time_us: delivery.clock.stamp() };
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
  const recorded = measured.then(
    () => {},
    (thrown: unknown) => options.logger.error({ event: "run_failed", suite: options.suite, err: thrown }),
  );
  return { recorded, delivered: awaitFates(state, measured) };
}
