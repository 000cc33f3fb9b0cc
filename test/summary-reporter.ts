import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** What a run ends with: how many tests there were of each kind, and what is to be known of those that did not pass. */
interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  readonly skips: string[];
  readonly failures: string[];
}

const UNEXPLAINED: SerializedError = { message: "no reason was given" };

/**
 * Ends the test run with the one line that CI reads, `N passed, N failed`. Before it stand the skipped tests with their
 * reasons and, last, what failed and why: of a long output people often have nothing but the end.
 */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const summary: Summary = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
    for (const module of modules) addModule(summary, module);
    const skipped = summary.skipped === 0 ? "" : `, ${summary.skipped} skipped`;
    const counts = `${summary.passed} passed, ${summary.failed} failed${skipped}`;
    process.stdout.write([...summary.skips, ...summary.failures, counts, ""].join("\n"));
  }
}

function addModule(summary: Summary, module: TestModule): void {
  const file = module.relativeModuleId;
  // A module that can't be loaded, and a group whose preparation fails: their tests count as skipped.
  addFailures(summary, file, module.errors());
  for (const suite of module.children.allSuites()) addFailures(summary, `${file} > ${suite.fullName}`, suite.errors());
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === "passed") summary.passed += 1;
    else if (result.state === "failed") addFailures(summary, `${file} > ${test.fullName}`, [result.errors[0] ?? UNEXPLAINED]);
    else {
      summary.skipped += 1;
      // A group that can't run here says why in its name.
      const reason = result.state === "skipped" && result.note ? `: ${result.note}` : "";
      summary.skips.push(`skipped: ${test.fullName}${reason}`);
    }
  }
}

function addFailures(summary: Summary, where: string, errors: readonly SerializedError[]): void {
  summary.failed += errors.length;
  for (const error of errors) {
    const message = error.message.trim().split("\n").slice(0, 3).join(" | ");
    summary.failures.push(`failed: ${where}: ${message.slice(0, 400)}`);
  }
}
