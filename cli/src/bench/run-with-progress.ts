import { runSuite, type SuiteOptions, type SuiteOutcome } from "@fleetmark/bench";
import { createProgressLine, showRunProgress } from "../output/progress-line.js";

/** Runs a suite, and shows how it goes. */
export async function runWithProgress(options: SuiteOptions): Promise<SuiteOutcome> {
  const progress = createProgressLine();
  try {
    return await runSuite({
      ...options,
      onFinding: (finding) => process.stderr.write(`${finding}\n`),
      onProgress: (now) => showRunProgress(progress, now),
    });
  } finally {
    progress.clear();
  }
}
