import type { HostFacts, Suite } from "@fleetmark/bench";
import type { RunProgress } from "@fleetmark/shared/model/progress";
import type { Result, Run } from "@fleetmark/shared/model/result";

/** What the agent needs of the bench package, which executes every workload in a process of its own. */
export interface Bench {
  /** Takes seconds where a tool of a GPU hangs. */
  readHostFacts(options: { readonly stateFolder: string }): Promise<HostFacts>;
  nameHardwareClass(facts: HostFacts): string;
  /** By what is known without any tool; undefined where that is not enough. */
  recallHardwareClass(options: { readonly stateFolder: string }): Promise<string | undefined>;
  /** What may change speed on this host. */
  readFingerprint(): Record<string, string>;
  findSuite(name: string): unknown;
  runSuite(options: {
    readonly suite: string | Suite;
    readonly host: string;
    readonly hardwareClass: string;
    readonly run: string;
    /** Tells the benchmarks of the suite, by their full names, that are measured. */
    readonly isChosen: (name: string) => boolean;
    readonly signal: AbortSignal;
    onProgress(progress: RunProgress): void;
    onResult(result: Result): void;
    onQuiet(quiet: boolean): void;
  }): Promise<{ readonly run: Run; readonly results: readonly Result[] }>;
}

/**
 * Adds suites of the user's own to what a bench finds and runs by name.
 * @throws FleetmarkError SUITE_FILE_INVALID
 */
export async function addOwnSuites(bench: Bench, files: readonly string[]): Promise<Bench> {
  if (files.length === 0) return bench;
  const { readSuiteFiles } = await import("@fleetmark/bench");
  const own = new Map(readSuiteFiles(files).map((suite) => [suite.name, suite]));
  return {
    readHostFacts: (options) => bench.readHostFacts(options),
    recallHardwareClass: (options) => bench.recallHardwareClass(options),
    nameHardwareClass: (facts) => bench.nameHardwareClass(facts),
    readFingerprint: () => bench.readFingerprint(),
    findSuite: (name) => own.get(name) ?? bench.findSuite(name),
    runSuite: (options) => {
      const named = typeof options.suite === "string" ? own.get(options.suite) : undefined;
      return bench.runSuite({ ...options, suite: named ?? options.suite });
    },
  };
}

/**
 * Loads the package when the agent starts, not with this module: who only reads the configuration's schema does
 * without.
 */
export async function loadBench(): Promise<Bench> {
  return import("@fleetmark/bench");
}
