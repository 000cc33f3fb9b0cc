import type { Reporter, TestModule } from "vitest/node";

/** Ends the test run with the one line that CI reads: `N passed, N failed`, and the skipped ones by reason. */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const reasons: string[] = [];
    for (const module of modules) {
      // A module that can't be loaded, and a group whose preparation fails: its tests count as skipped.
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") counts.passed += 1;
        else if (result.state === "failed") counts.failed += 1;
        else {
          counts.skipped += 1;
          // A group that can't run here says why in its name.
          const reason = result.state === "skipped" && result.note ? `: ${result.note}` : "";
          reasons.push(`skipped: ${test.fullName}${reason}`);
        }
      }
    }
    const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
    process.stdout.write([...reasons, `${counts.passed} passed, ${counts.failed} failed${skipped}`, ""].join("\n"));
  }
}
