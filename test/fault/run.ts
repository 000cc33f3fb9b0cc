import { setTimeout as delay } from "node:timers/promises";
import type { FaultKind, Undo } from "./fault-kind.js";
import { faultKinds } from "./faults.js";
import { createOracle, type Verdict } from "./oracle.js";
import type { FaultBounds, PlannedFault } from "./plan.js";
import { planFaults } from "./plan.js";
import type { LoadOptions, Topology } from "./topology.js";

/** What a run over one topology came to. */
export interface RunOutcome extends Verdict {
  readonly faults: Record<string, number>;
  /** Kinds that were not possible, and why. */
  readonly skipped: Record<string, string>;
  /**
   * Seconds from the end of a fault until samples of every host, made after it, were committed; the longest by kind.
   */
  readonly recovery_s: Record<string, number>;
  /** The same, where the NATS cluster had to be started anew. */
  readonly nursed_recovery_s: Record<string, number>;
  /** Samples that could not be delivered in the end. */
  readonly undelivered: number;
  /** Exits that nobody asked for. */
  readonly crashes: string[];
}

const say = (text: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
};

/** Longer than this nothing recovers any more. */
const giveUpS = 300;
const drainS = 180;

/** A NATS cluster that has not found together by then is started anew, node by node, as its operator would. */
const nurseNatsAfterS = 45;

async function nurseNats({ nats }: Topology): Promise<void> {
  for (const node of nats) {
    await node.kill();
    await node.start();
    await delay(3000);
  }
}

/** Waits until something that every host produced after `since` is known to be committed. */
async function waitForFresh(topology: Topology, since: number): Promise<{ seconds: number; nursed: boolean }> {
  const { fleet, nats, name } = topology;
  let nursed = false;
  for (;;) {
    const seconds = (Date.now() - since) / 1000;
    if (fleet.every((process) => (process.status()?.ackedThrough ?? 0) >= since)) return { seconds, nursed };
    if (seconds > giveUpS) return { seconds: Number.POSITIVE_INFINITY, nursed };
    if (nats.length > 0 && !nursed && seconds > nurseNatsAfterS) {
      nursed = true;
      say(`${name}: the NATS cluster does not recover by itself; its nodes are started anew`);
      await nurseNats(topology);
    }
    await delay(50);
  }
}

/** Faults that strike together: those that join, unless they would strike the same thing. */
function gather(plan: readonly PlannedFault[], topology: Topology): { kind: FaultKind; fault: PlannedFault }[][] {
  const groups: { kind: FaultKind; fault: PlannedFault }[][] = [];
  for (const fault of plan) {
    const kind = faultKinds.find(({ name }) => name === fault.kind);
    if (kind === undefined) throw new Error(`no fault ${fault.kind}`);
    const group = groups.at(-1);
    const struck = group?.flatMap((other) => other.kind.strikes(topology, other.fault.pick)) ?? [];
    const isFree = kind.strikes(topology, fault.pick).every((name) => !struck.includes(name));
    if (fault.joins && group !== undefined && isFree) group.push({ kind, fault });
    else groups.push([{ kind, fault }]);
  }
  return groups;
}

async function strike(
  topology: Topology,
  { kind, fault }: { kind: FaultKind; fault: PlannedFault },
  afterS: number,
): Promise<void> {
  await delay(afterS * 1000);
  say(`${topology.name}: ${kind.name} of ${kind.strikes(topology, fault.pick)[0]} for ${fault.seconds.toFixed(1)} s`);
  const undo: Undo = await kind.begin(topology, fault.pick);
  await delay(fault.seconds * 1000);
  await undo();
}

export interface FaultOptions {
  readonly planSeed: number;
  readonly count: number;
  readonly bounds: FaultBounds;
  /** Kinds of faults; all where none is named. */
  readonly only: readonly string[] | undefined;
}

/** Lets faults strike a topology under load, then lets it deliver what is left, and judges what the store holds. */
export async function runFaults(
  topology: Topology,
  { seed, shape, planSeed, count, bounds, only }: LoadOptions & FaultOptions,
): Promise<RunOutcome> {
  const skipped: Record<string, string> = {};
  for (const kind of faultKinds) {
    const obstacle = kind.obstacle(topology);
    if (obstacle !== undefined) skipped[kind.name] = obstacle;
  }
  const possible = faultKinds.map(({ name }) => name).filter((name) => !(name in skipped) && (only?.includes(name) ?? true));
  const groups = gather(planFaults(planSeed, possible, count, bounds), topology);
  const faults: Record<string, number> = {};
  const recovery: Record<string, number> = {};
  const nursedRecovery: Record<string, number> = {};

  await waitForFresh(topology, Date.now());
  for (const group of groups) {
    await delay(group[0].fault.calmS * 1000);
    await Promise.all(group.map((one, i) => strike(topology, one, i === 0 ? 0 : one.fault.calmS)));
    const { seconds, nursed } = await waitForFresh(topology, Date.now());
    for (const { kind } of group) {
      faults[kind.name] = (faults[kind.name] ?? 0) + 1;
      const times = nursed ? nursedRecovery : recovery;
      times[kind.name] = Math.max(times[kind.name] ?? 0, Math.round(seconds * 100) / 100);
    }
    say(`${topology.name}: fresh samples of every host after ${seconds.toFixed(1)} s`);
    if (!Number.isFinite(seconds)) break;
  }

  const left = await Promise.all(topology.fleet.map((process) => process.drain(drainS)));
  const undelivered = left.reduce((sum, samples) => sum + samples, 0);
  say(`${topology.name}: drained, ${undelivered} samples left; reading the store`);
  const oracle = createOracle(topology.readJournals(), { seed, shape, memoryMs: 5000 });
  await topology.readStore(oracle.see);
  const { collectors, nats, influx, fleet } = topology;
  const crashes = [...collectors, ...nats, ...(influx === undefined ? [] : [influx]), ...fleet].flatMap(({ crashes }) => crashes);
  return { ...oracle.judge(), faults, skipped, recovery_s: recovery, nursed_recovery_s: nursedRecovery, undelivered, crashes };
}
