import type { Result, Run } from "../../model/result.js";
import { fewestPeers, type HostStanding } from "./slow-hosts.js";

/** Whether a host is fit for work: as fast as its peers, slower, not able to run what they run, or not to be told. */
export const fitnesses = ["fit", "slow", "broken", "cannot-say"] as const;
export type Fitness = (typeof fitnesses)[number];

export interface Qualification {
  readonly fitness: Fitness;
  /** A sentence for people. */
  readonly why: string;
}

/** What a host is qualified by. */
export interface Candidate {
  readonly run: Pick<Run, "hw_class" | "failures" | "completed" | "total">;
  readonly results: readonly Result[];
  readonly standing: HostStanding;
  /** Benchmarks that peers have results of. */
  readonly known: ReadonlySet<string>;
  /** Peers that it takes: one where somebody named them, more where they are whoever is of the class. */
  readonly fewest: number;
}

/** At least this share of what was measured must say something. */
const fewestCompared = 0.5;

const list = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

/** Says whether a host is fit, by its own run and by how it stands among its peers. */
export function qualifyHost({ run, results, standing, known, fewest }: Candidate): Qualification {
  const failed = run.failures.filter(({ name }) => known.has(name));
  if (results.length === 0)
    return {
      fitness: "broken",
      why: `none of ${run.total} benchmarks gave a result: ${run.failures[0]?.error ?? "no reason is known"}`,
    };
  if (failed.length > 0)
    return {
      fitness: "broken",
      why: `${list(failed.map(({ name }) => name))} failed, which its peers can do: ${failed[0].error}`,
    };
  const slow = standing.comparisons.filter(({ isSlow }) => isSlow);
  if (slow.length > 0) {
    const names = [...slow].sort((a, b) => b.change - a.change).map(({ name }) => name);
    const by = `${slow.length} of ${standing.comparisons.length} benchmarks are slower than at ${standing.peers} peers, by ${standing.change.toFixed(1)} % (median)`;
    return { fitness: "slow", why: `${by}: ${list(names)}` };
  }
  if (standing.peers < fewest) return { fitness: "cannot-say", why: describePeers(standing.peers, run.hw_class) };
  if (standing.comparisons.length < fewestCompared * results.length) {
    const some = `only ${standing.comparisons.length} of ${results.length} results can be compared`;
    return { fitness: "cannot-say", why: `${some}: the others did not settle, or its peers have none of them` };
  }
  return { fitness: "fit", why: `${standing.comparisons.length} benchmarks are as fast as at ${standing.peers} peers` };
}

function describePeers(peers: number, hwClass: string): string {
  const others = peers === 0 ? "no other host" : `only ${peers} other ${peers === 1 ? "host" : "hosts"}`;
  return `${others} of the class ${hwClass} measured the same; it takes ${fewestPeers}, or a --reference`;
}
