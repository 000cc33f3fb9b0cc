import { probeRuntimes } from "../runtimes/probe.js";
import type { Suite } from "../suites/suites.js";

/** Finds out which runtimes there are; told apart for tests. */
export type Probe = typeof probeRuntimes;

/**
 * Adds to a suite what it takes only where this host has the runtime.
 * @param onLeftOut told in a sentence what is left out, and why
 */
export async function addOptional(
  suite: Suite,
  onLeftOut?: (sentence: string) => void,
  probe: Probe = probeRuntimes,
): Promise<Suite> {
  const { optional = [] } = suite;
  const names = [...new Set(optional.map(({ runtime }) => runtime))];
  if (names.length === 0) return suite;
  const reports = await probe(names);
  const there = new Set(reports.filter(({ available }) => available).map(({ name }) => name));
  for (const report of reports) {
    if (report.available) continue;
    const count = optional.filter(({ runtime }) => runtime === report.name).length;
    onLeftOut?.(`${count} benchmark${count === 1 ? "" : "s"} on ${report.name}: ${report.reason}`);
  }
  return { ...suite, benchmarks: [...suite.benchmarks, ...optional.filter(({ runtime }) => there.has(runtime))] };
}
