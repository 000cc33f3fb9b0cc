import { type Comparison, compareWithBaseline, isSteady } from "@fleetmark/shared/judgement/comparison";
import type { Result } from "@fleetmark/shared/model/result";
import { toBaseline } from "@fleetmark/shared/model/result-file";
import { version } from "@fleetmark/shared/version";
import { readHostFacts } from "#bench/host/facts.js";
import { nameHardwareClass } from "#bench/host/hardware-class.js";
import { runSuite } from "#bench/measure/suite-run.js";
import type { Suite } from "#bench/suites/suites.js";

/** Reads the number of pairs from the command line; 20 by default. */
export function readPairs(): number {
  const pairs = Number(process.argv[2] ?? 20);
  if (Number.isSafeInteger(pairs) && pairs > 0) return pairs;
  process.stderr.write("give the number of pairs of runs, such as 20\n");
  process.exit(2);
}

/** Says what these figures were measured on. */
export async function describeHost(): Promise<string> {
  return `Fleetmark ${version} on ${nameHardwareClass(await readHostFacts())}, Node.js ${process.versions.node}, ${new Date().toISOString()}`;
}

async function measure(suite: Suite, seed: number, taskModule: string | undefined, budgetS: number): Promise<Result[]> {
  const { run, results } = await runSuite({ suite, seed, budgetS, ...(taskModule === undefined ? {} : { taskModule }) });
  for (const { name, error } of run.failures) process.stderr.write(`${name}: ${error}\n`);
  return results;
}

/**
 * Runs a suite twice, as `fleetmark bench --save-baseline` and `--compare-baseline` would on one machine, and returns
 * how the second compares.
 * @param slowed URL of the task module of the second run; the first's is the project's own
 */
export async function comparePair(suite: Suite, seed: number, budgetS: number, slowed?: string): Promise<PairOutcome> {
  const before = await measure(suite, seed, undefined, budgetS);
  const after = await measure(suite, seed, slowed, budgetS);
  const baseline = toBaseline(before.filter(isSteady));
  return { results: [...before, ...after], comparisons: compareWithBaseline(after, baseline).comparisons };
}

export interface PairOutcome {
  readonly results: readonly Result[];
  readonly comparisons: readonly Comparison[];
}

/** Counts values: `{"flat":3,"warmup":1}`. */
export function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
