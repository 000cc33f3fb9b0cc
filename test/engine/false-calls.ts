/** How often runs of one and the same build are called different: pairs of the quick suite, compared. */
import { findSuite, type Suite } from "#bench/suites/suites.js";
import { comparePair, describeHost, readPairs, tally } from "./pairs.js";

const pairs = readPairs();
const verdicts: string[] = [];
const steadiness: string[] = [];
process.stdout.write(`${await describeHost()}: ${pairs} pairs of runs of the quick suite\n`);
for (let pair = 1; pair <= pairs; pair++) {
  const { comparisons, results } = await comparePair(findSuite("quick") as Suite, pair, 50);
  verdicts.push(...comparisons.map(({ verdict }) => verdict));
  steadiness.push(...results.map((result) => result.steady_state));
  const called = comparisons.filter(({ verdict }) => verdict === "regressed" || verdict === "improved");
  process.stdout.write(
    `pair ${pair}: ${comparisons.length} comparisons ${JSON.stringify(tally(verdicts.slice(-comparisons.length)))}\n`,
  );
  for (const { name, metric, change, low, high, verdict, severity } of called) {
    process.stdout.write(
      `  ${verdict} (${severity}) ${metric} of ${name}: ${change.toFixed(2)} [${low?.toFixed(2)} … ${high?.toFixed(2)}]\n`,
    );
  }
}
const called = verdicts.filter((verdict) => verdict === "regressed" || verdict === "improved").length;
process.stdout.write(`verdicts ${JSON.stringify(tally(verdicts))}; courses ${JSON.stringify(tally(steadiness))}\n`);
process.stdout.write(
  `${called} false calls of ${verdicts.length} comparisons: ${((100 * called) / verdicts.length).toFixed(2)} %\n`,
);
