/**
 * How often a slowdown of 5 % is found, and how often it is taken for the contrary: in the environment step and in the
 * policy forward pass.
 */
import { nameBenchmark } from "#bench/measure/benchmark-result.js";
import { findSuite, type Suite } from "#bench/suites/suites.js";
import { comparePair, describeHost, readPairs, tally } from "./pairs.js";

const pairs = readPairs();
/** What a benchmark of the full suite is given. */
const budgetPerBenchmarkS = 10;
const quick = findSuite("quick") as Suite;
const names = ["environment_step{env=ChemicalReactor-v0} js/cpu", "policy_forward{batch=1} tfjs-wasm/cpu"];
const chosen = quick.benchmarks.filter((each) => names.includes(nameBenchmark(each)));
const suite: Suite = { ...quick, benchmarks: chosen };
const slowed = new URL("./slowed-tasks.js", import.meta.url).href;
const verdicts = new Map<string, string[]>(chosen.map((each) => [nameBenchmark(each), []]));

process.stdout.write(`${await describeHost()}: ${pairs} pairs, the second of each 5 % slower\n`);
for (let pair = 1; pair <= pairs; pair++) {
  const { comparisons } = await comparePair(suite, pair, budgetPerBenchmarkS * chosen.length, slowed);
  for (const name of verdicts.keys()) {
    const found = comparisons.find((comparison) => comparison.name === name && comparison.metric === "throughput");
    verdicts.get(name)?.push(found?.verdict ?? "baseline not steady");
    if (found !== undefined)
      process.stdout.write(
        `pair ${pair}: ${name} ${found.verdict} ${found.change.toFixed(2)} % [${found.low?.toFixed(2)} … ${found.high?.toFixed(2)}]\n`,
      );
  }
}
for (const [name, found] of verdicts) process.stdout.write(`${name}: ${JSON.stringify(tally(found))}\n`);
