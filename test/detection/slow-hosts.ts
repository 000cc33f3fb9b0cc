/**
 * How well slow hosts are found among hosts of a class whose truth is known: `make bench-slow-hosts`. Seeds are fixed. The
 * last line of output is one JSON object.
 */
import { findSlowHosts, type HostResults } from "@fleetmark/shared/judgement/peers/slow-hosts";
import type { Result } from "@fleetmark/shared/model/result";
import { createRandom } from "@fleetmark/shared/stats/random";
import { makeResult } from "../../shared/test/records.js";
import { drawNormal } from "./series.js";

const benchmarks = 20;
const classes = 100;
const largeClasses = 20;
/** Deviation between hosts that are alike, and of a result from its host's level. */
const between = 0.015;
const within = 0.01;

/** Hosts of which the first some are slower by a factor in a share of their benchmarks. */
function drawClass(seed: number, hosts: number, slow: number, factor: number, share: number): HostResults[] {
  const random = createRandom(seed);
  const hit = Array.from({ length: benchmarks }, (_, i) => i < share * benchmarks);
  return Array.from({ length: hosts }, (_, h) => {
    const level = Math.exp(between * drawNormal(random));
    const results = hit.map((isHit, b): Result => {
      const median = 1e-3 * level * Math.exp(within * drawNormal(random)) * (h < slow && isHit ? factor : 1);
      return makeResult({ host: `h${h}`, name: `b${b}`, median, process_runs: 6, run_spread: 0.01, metadata: {} });
    });
    return { host: `h${h}`, results };
  });
}

const rows: Record<string, unknown>[] = [];
console.log(
  "slow hosts found, and hosts called slow that are not, of 100 classes each; 20 benchmarks, hosts differ by 1.5 %, results by 1 %\n",
);
console.log("hosts  slow  by    in            found  false of those called  classes with a false one");
for (const hosts of [4, 8, 16, 50, 200, 500]) {
  for (const slow of [0, 1, 2, 5]) {
    if (slow > hosts / 4) continue;
    for (const [factor, share] of slow === 0
      ? [[1, 0]]
      : [
          [1.05, 1],
          [1.1, 1],
          [1.1, 0.15],
          [1.2, 0.05],
        ]) {
      let [found, wrong, called, withWrong] = [0, 0, 0, 0];
      const count = hosts >= 200 ? largeClasses : classes;
      for (let seed = 1; seed <= count; seed++) {
        const slowOnes = findSlowHosts(drawClass(seed, hosts, slow, factor, share)).filter(({ isSlow }) => isSlow);
        const right = slowOnes.filter(({ host }) => Number(host.slice(1)) < slow).length;
        found += right;
        called += slowOnes.length;
        wrong += slowOnes.length - right;
        if (slowOnes.length > right) withWrong++;
      }
      const percent = (part: number, whole: number): number | null =>
        whole === 0 ? null : Math.round((1000 * part) / whole) / 10;
      const row = {
        hosts,
        slow,
        slower_percent: Math.round(100 * (factor - 1)),
        benchmarks: Math.round(share * benchmarks),
        found_percent: percent(found, slow * count),
        false_percent: percent(wrong, called),
        classes_with_false_percent: percent(withWrong, count),
      };
      rows.push(row);
      const text = (value: number | null): string => (value === null ? "-" : `${value} %`);
      console.log(
        `${String(hosts).padStart(5)}${String(slow).padStart(6)}  ${text(row.slower_percent).padEnd(6)}${`${row.benchmarks} of ${benchmarks}`.padEnd(10)}${text(row.found_percent).padStart(9)}${text(row.false_percent).padStart(23)}${text(row.classes_with_false_percent).padStart(26)}`,
      );
    }
  }
}
console.log(JSON.stringify({ benchmarks, between, within, classes: rows }));
