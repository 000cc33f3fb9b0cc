import type { Logger } from "@fleetmark/shared/log";
import { type Result, type Run, resultToPoint, runToPoint } from "@fleetmark/shared/model/result";
import type { Bench } from "./bench.js";
import type { Delivery } from "./delivery/delivery.js";
import type { Fate } from "./delivery/parcel.js";
import type { QuietGate } from "./quiet.js";

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
  readonly delivery: Delivery;
  readonly gate: QuietGate;
  readonly logger: Logger;
}

/** Runs a suite in processes of its own. Each result is sent as soon as it is there, the run itself when it has ended. */
export function startSuiteRun({
  suite,
  host,
  hardwareClass,
  signal,
  runSuite,
  delivery,
  gate,
  logger,
}: SuiteRunOptions): SuiteRun {
  const fates: Promise<Fate>[] = [];

  const measure = async (): Promise<{ run: Run; results: readonly Result[] }> => {
    logger.info({ event: "run_started", suite });
    const started_us = delivery.clock.stamp();
    const results: Result[] = [];
    try {
      const outcome = await runSuite({
        suite,
        host,
        hardwareClass,
        signal,
        onProgress: ({ elapsed_s, remaining_s, ...progress }) =>
          delivery.report({ ...progress, elapsedS: elapsed_s, remainingS: remaining_s }),
        onResult: (result) => {
          // The suite reads the host's clock, which may step; the agent's own puts results in order with all else.
          const stamped = { ...result, time_us: delivery.clock.stamp() };
          results.push(stamped);
          fates.push(delivery.recordResult(resultToPoint(stamped)));
        },
        onQuiet: (quiet) => gate.set(quiet),
      });
      const stampedRun = { ...outcome.run, started_us, time_us: delivery.clock.stamp() };
      fates.push(delivery.recordResult(runToPoint(stampedRun)));
      const { run, state, completed, total, failures, duration } = stampedRun;
      delivery.report({ run, suite, completed, total, benchmark: "", elapsedS: duration, remainingS: 0 });
      for (const { name, error } of failures) logger.warn({ event: "benchmark_failed", code: "BENCHMARK_FAILED", name }, error);
      logger.info({ event: "run_ended", run, suite, state, completed, total, failed: failures.length, duration });
      return { run: stampedRun, results };
    } finally {
      gate.set(false);
    }
  };

  const measured = measure();
  const deliver = async (): Promise<RunOutcome> => {
    const { run, results } = await measured;
    const all = await Promise.all(fates);
    return { run, results, undelivered: all.filter((fate) => fate !== "committed").length };
  };
  const recorded = measured.then(
    () => {},
    (thrown: unknown) => logger.error({ event: "run_failed", suite, err: thrown }),
  );
  return { recorded, delivered: deliver() };
}
