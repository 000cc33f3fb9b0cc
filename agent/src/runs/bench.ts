import type { HostFacts } from "@fleetmark/bench";
import type { RunProgress } from "@fleetmark/shared/model/progress";
import type { Result, Run } from "@fleetmark/shared/model/result";

/** What the agent needs of the bench package, which executes every workload in a process of its own. */
export interface Bench {
  /** Takes seconds where a tool of a GPU hangs. */
  readHostFacts(options: { readonly stateFolder: string }): Promise<HostFacts>;
  nameHardwareClass(facts: HostFacts): string;
  /** By what is known without any tool; undefined where that is not enough. */
  recallHardwareClass(options: { readonly stateFolder: string }): Promise<string | undefined>;
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

/**
 * Loads the package when the agent starts, not with this module: who only reads the configuration's schema does
 * without.
 */
export async function loadBench(): Promise<Bench> {
  return import("@fleetmark/bench");
}
