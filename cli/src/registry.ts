import type { Command } from "commander";

/** A command that has not been loaded: `--help` needs no more of it. */
export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  /** Loads what gives it its arguments, flags and action: none pays for what only another one needs. */
  load(): Promise<(command: Command) => void>;
}

/** Every command, in the order in which the help shows them. */
export const commandEntries: readonly CommandEntry[] = [
  {
    name: "up",
    description: "run a collector and an agent on this machine: benchmark it at once, then keep watching it",
    load: async () => (await import("./commands/up/up.js")).defineUp,
  },
  {
    name: "bench",
    description: "run a suite on this machine, without a collector; compare with a baseline",
    load: async () => (await import("./commands/bench.js")).defineBench,
  },
  {
    name: "results",
    description: "show the latest results of each benchmark",
    load: async () => (await import("./commands/read/results.js")).defineResults,
  },
  {
    name: "kpis",
    description: "show how each host stands against the targets and alert thresholds of the six KPIs",
    load: async () => (await import("./commands/read/kpis.js")).defineKpis,
  },
  {
    name: "hosts",
    description: "show the hosts of the fleet and the runs under way",
    load: async () => (await import("./commands/read/hosts.js")).defineHosts,
  },
  {
    name: "runs",
    description: "show the runs that have ended, the newest first",
    load: async () => (await import("./commands/read/runs.js")).defineRuns,
  },
  {
    name: "fleet",
    description: "show the fleet, and start and stop suites on any part of it from here",
    load: async () => (await import("./commands/fleet/fleet.js")).defineFleet,
  },
  {
    name: "history",
    description: "show how a benchmark's results followed each other, and what moved between them",
    load: async () => (await import("./commands/read/history.js")).defineHistory,
  },
  {
    name: "compare",
    description: "compare two result files, runs, hosts or hardware classes, and judge what moved",
    load: async () => (await import("./commands/read/compare.js")).defineCompare,
  },
  {
    name: "verdicts",
    description: "show what became slower or faster than before, since when, and why",
    load: async () => (await import("./commands/read/verdicts.js")).defineVerdicts,
  },
  {
    name: "mark-verdict",
    description: "say of what was called slower that it was not, or that it was: the rate of false alarms learns from it",
    load: async () => (await import("./commands/mark-verdict.js")).defineMarkVerdict,
  },
  {
    name: "alert",
    description: "show what fires, silence it, and try whether people hear of it",
    load: async () => (await import("./commands/alert/alert.js")).defineAlert,
  },
  {
    name: "trends",
    description: "show which benchmarks become slower or faster from week to week",
    load: async () => (await import("./commands/read/trends.js")).defineTrends,
  },
  {
    name: "qualify",
    description: "say whether this host is fit: as fast as others of its hardware class",
    load: async () => (await import("./commands/qualify.js")).defineQualify,
  },
  {
    name: "baseline",
    description: "decide what results are compared with: pin some, or accept the level that they are at",
    load: async () => (await import("./commands/baseline/baseline.js")).defineBaseline,
  },
  {
    name: "detect",
    description: "find lasting changes in any series of numbers, from a file or standard input",
    load: async () => (await import("./commands/detect.js")).defineDetect,
  },
  {
    name: "doctor",
    description: "show what this host has and can run, and why not the rest",
    load: async () => (await import("./commands/doctor.js")).defineDoctor,
  },
  {
    name: "dataset",
    description: "make offline datasets of the environments, for NumPy or as Parquet",
    load: async () => (await import("./commands/dataset.js")).defineDataset,
  },
  {
    name: "agent",
    description: "run the agent: measure this host and stream to a collector",
    load: async () => (await import("./commands/daemons.js")).defineAgent,
  },
  {
    name: "collector",
    description: "run the collector: take, store, judge and serve what the agents measure",
    load: async () => (await import("./commands/daemons.js")).defineCollector,
  },
  {
    name: "store",
    description: "set up, check and move the store that a collector is configured for",
    load: async () => (await import("./commands/store.js")).defineStore,
  },
  {
    name: "quarantine",
    description: "look at what the collector rejected, and take it in again or drop it",
    load: async () => (await import("./commands/quarantine.js")).defineQuarantine,
  },
  {
    name: "token",
    description: "make, list and revoke the tokens by which programs and people change things",
    load: async () => (await import("./commands/token.js")).defineToken,
  },
  {
    name: "config",
    description: "check a configuration file, or print the schema of one",
    load: async () => (await import("./commands/config.js")).defineConfig,
  },
];

/** Returns the name of the command that the arguments call, or ask help for. */
export function findCalled(args: readonly string[]): string | undefined {
  const names = args.filter((arg) => !arg.startsWith("-"));
  return names[0] === "help" ? names[1] : names[0];
}
