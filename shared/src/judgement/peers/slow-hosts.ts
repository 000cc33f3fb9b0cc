import type { Result } from "../../model/result.js";
import { normalCdf } from "../../stats/distributions.js";
import { scaleBy } from "../../stats/intervals.js";
import { median } from "../../stats/quantiles.js";
import { studentTail } from "../../stats/student-tail.js";
import { isSteady } from "../comparison.js";
import { type Expectation, expectResult, hasFigure, measureDistance } from "../expectation.js";

/** The latest results of one host. */
export interface HostResults {
  readonly host: string;
  readonly results: readonly Result[];
}

/** Gathers results by host. */
export function groupByHost(results: readonly Result[]): HostResults[] {
  const grouped = new Map<string, Result[]>();
  for (const result of results) grouped.set(result.host, [...(grouped.get(result.host) ?? []), result]);
  return [...grouped].map(([host, own]) => ({ host, results: own }));
}

/** How a benchmark of a host stands among its peers. */
export interface PeerComparison {
  readonly name: string;
  /** Percent, positive where it is slower than the peers' median; of an overhead percentage points. */
  readonly change: number;
  /** The peers' median, and this host's, in the result's unit. */
  readonly before: number;
  readonly after: number;
  readonly unit: Result["unit"];
  readonly peers: number;
  /** The chance that a host like its peers is as slow, before the number of questions is reckoned with. */
  readonly p: number;
  /** Slower than its peers, beyond noise, all questions reckoned with. */
  readonly isSlow: boolean;
}

/** How a host stands among the hosts of its class. */
export interface HostStanding {
  readonly host: string;
  /** Other hosts that have some benchmark in common. */
  readonly peers: number;
  readonly comparisons: readonly PeerComparison[];
  /** Some benchmark is slower than at its peers. */
  readonly isSlow: boolean;
  /** Median change of the benchmarks that are slower, in percent; 0 where none is. */
  readonly change: number;
}

/** Peers that say what a host should be. */
export const fewestPeers = 3;
/** Changes under this are called nothing. */
const smallestChange = 2;
/** Of hosts that are called slow, at most this share is not (by expectation). */
const falseDiscoveries = 0.05;

/** The largest p that is a discovery: Benjamini & Hochberg, "Controlling the False Discovery Rate", JRSS B (1995). */
function chooseLimit(ps: readonly number[], level: number): number {
  const sorted = [...ps].sort((a, b) => a - b);
  let limit = 0;
  for (const [i, p] of sorted.entries()) if (p <= ((i + 1) / sorted.length) * level) limit = p;
  return limit;
}

/** A result is compared if its times settled. */
const isUsable = (result: Result): boolean => isSteady(result) && hasFigure(result);

/** Hosts of one class differ by so much though they are well, before enough of them were seen to tell. */
const betweenHosts = 0.015;

/** From so many degrees of freedom on Student's t is the normal distribution. */
const manyDegrees = 200;

/** The chance that one more of these peers is as slow as a result. */
function findChance(result: Result, expected: Expectation): number {
  const { distance, degrees } = measureDistance(result, expected);
  return degrees > manyDegrees ? 1 - normalCdf(distance) : studentTail(distance, degrees);
}

/** @param own whether the result itself is among those by which it is expected */
function compareWithPeers(result: Result, expected: Expectation, own: boolean): Compared {
  const { project, restore } = scaleBy(expected.scale);
  const difference = project(result.median) - expected.centre;
  const change = expected.scale === "relative" ? 100 * Math.expm1(difference) : difference;
  const { name, median: after, unit } = result;
  const figures = { before: restore(expected.centre), after, unit, peers: expected.results - (own ? 1 : 0) };
  return { name, change, ...figures, p: findChance(result, expected) };
}

/** Groups the usable results of many hosts by benchmark. */
function groupByBenchmark(hosts: readonly HostResults[]): Map<string, Map<string, Result>> {
  const grouped = new Map<string, Map<string, Result>>();
  for (const { host, results } of hosts) {
    for (const result of results.filter(isUsable)) {
      const group = grouped.get(result.name) ?? new Map<string, Result>();
      grouped.set(result.name, group.set(host, result));
    }
  }
  return grouped;
}

type Compared = Omit<PeerComparison, "isSlow">;

/**
 * The chance that a host like its peers has comparisons as bad as these: Simes, "An Improved Bonferroni Procedure for
 * Multiple Tests of Significance", Biometrika 73 (1986), which holds for comparisons that hang together.
 */
function combineChances(found: readonly Compared[]): number {
  const sorted = found.map(({ p }) => p).sort((a, b) => a - b);
  return Math.min(1, ...sorted.map((p, i) => (sorted.length * p) / (i + 1)));
}

/** @param level of false discoveries among the host's own comparisons; 0 where the host is not one to look into */
function stand(host: string, found: readonly Compared[], level: number): HostStanding {
  const limit = chooseLimit(
    found.map(({ p }) => p),
    level,
  );
  const comparisons = found.map((each) => ({ ...each, isSlow: each.p <= limit && each.change >= smallestChange }));
  const slow = comparisons.filter(({ isSlow }) => isSlow).map(({ change }) => change);
  const peers = Math.max(0, ...comparisons.map((each) => each.peers));
  return { host, peers, comparisons, isSlow: slow.length > 0, change: slow.length === 0 ? 0 : median(slow) };
}

/**
 * Compares one host with its peers.
 * @param peers other hosts of its hardware class, without itself
 */
export function compareHost(host: HostResults, peers: readonly HostResults[]): HostStanding {
  const grouped = groupByBenchmark(peers);
  const found = host.results.filter(isUsable).flatMap((result) => {
    const group = [...(grouped.get(result.name)?.values() ?? [])].filter(({ unit }) => unit === result.unit);
    return group.length === 0 ? [] : [compareWithPeers(result, expectResult(group, betweenHosts), false)];
  });
  return stand(host.host, found, falseDiscoveries);
}

/** Among so many, a host itself is too few to matter in what is expected of it. */
const many = 50;

/** Makes what tells what is expected of a host by all others of its class; undefined where they are too few. */
function createPeerExpectation(hosts: readonly HostResults[]): (host: string, result: Result) => Expectation | undefined {
  const grouped = groupByBenchmark(hosts);
  const shared = new Map<string, Expectation>();
  return (host, result) => {
    const all = grouped.get(result.name) ?? new Map<string, Result>();
    const key = JSON.stringify([result.name, result.unit]);
    const known = shared.get(key);
    if (known !== undefined) return known;
    const peers = [...all].flatMap(([name, each]) => (name === host || each.unit !== result.unit ? [] : [each]));
    if (peers.length < fewestPeers) return undefined;
    const expected = expectResult(peers.length < many ? peers : [...peers, result], betweenHosts);
    if (peers.length >= many) shared.set(key, expected);
    return expected;
  };
}

/**
 * Finds the hosts of a class that are slower than their peers. Each is compared with all others by the prediction
 * interval of one more among them; of hosts that are called slow, at most one of twenty is not (by expectation).
 * @param hosts of one hardware class
 */
export function findSlowHosts(hosts: readonly HostResults[]): HostStanding[] {
  const expect = createPeerExpectation(hosts);
  const found = hosts.map(({ host, results }) => {
    const comparisons = results.filter(isUsable).flatMap((result) => {
      const expected = expect(host, result);
      return expected === undefined ? [] : [compareWithPeers(result, expected, expected.results > many)];
    });
    return { host, comparisons };
  });
  const chances = found.map(({ comparisons }) => combineChances(comparisons));
  const limit = chooseLimit(chances, falseDiscoveries);
  const selected = chances.filter((chance) => chance <= limit).length;
  // Of hosts that were chosen for being bad, fewer comparisons are believed: Benjamini & Bogomolov, JRSS B 76 (2014).
  const level = (falseDiscoveries * selected) / Math.max(1, found.length);
  return found
    .map(({ host, comparisons }, i) => stand(host, comparisons, chances[i] <= limit ? level : 0))
    .sort((a, b) => b.change - a.change || (a.host < b.host ? -1 : 1));
}
