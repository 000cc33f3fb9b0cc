import type { RunProgress } from "@fleetmark/shared/model/progress";
import type { Result, Run } from "@fleetmark/shared/model/result";

/** What the agent needs of the bench package, which executes every workload in a process of its own. */
export interface Bench {
  hostFacts(): object | Promise<object>;
  hardwareClass(facts: object): string;
  findSuite(name: string): unknown;
  runSuite(options: {
    readonly suite: string;
    readonly host: string;
    readonly hardwareClass: string;
    readonly signal: AbortSignal;
    onProgress(progress: RunProgress): void;
    onResult(result: Result): void;
    onQuiet(quiet: boolean): void;
  }): Promise<{ readonly run: Run; readonly results: readonly Result[] }>;
}

/** A progress whose times have the names that the bench package gives them. */
interface BenchProgress extends Omit<RunProgress, "elapsed_s" | "remaining_s"> {
  readonly elapsedS: number;
  readonly remainingS: number;
}

function toRunProgress(progress: RunProgress | BenchProgress): RunProgress {
  if ("elapsed_s" in progress) return progress;
  const { run, suite, completed, total, benchmark, elapsedS, remainingS } = progress;
  return { run, suite, completed, total, benchmark, elapsed_s: elapsedS, remaining_s: remainingS };
}

/**
 * Loads the package when the agent starts, not with this module: who only reads the configuration's schema does
 * without.
 */
export async function loadBench(): Promise<Bench> {
  const { hostFacts, hardwareClass, findSuite, runSuite } = await import("@fleetmark/bench");
  return {
    hostFacts,
    hardwareClass,
    findSuite,
    runSuite: ({ onProgress, ...options }) =>
      runSuite({
        ...options,
        onProgress: (progress: RunProgress | BenchProgress) => onProgress(toRunProgress(progress)),
      }),
  };
}
