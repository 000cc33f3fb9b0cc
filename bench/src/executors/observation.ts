import { type Resident, readResident } from "../machine/memory.js";
import { askProcess, type ProcessEntry } from "../machine/process-table.js";
import { readSnapshot, type Snapshot } from "../machine/snapshot.js";
import { addWindow, beginWatch, summarizeWatch, type Watch, type WatchSummary } from "../machine/watch.js";

/*
 * Watches a process that is not ours by its process id: memory, CPU time, waiting, and what else went on. Where there
 * is no /proc, the system's own tool is asked for memory and CPU time; what else went on is not seen there.
 */

/** Between two looks at the machine, in seconds. Each takes this process half a millisecond; it may be an agent's. */
const windowS = 0.25;

export type AskProcess = (pid: number) => Promise<ProcessEntry | undefined>;

/** What tells of processes where there is no /proc; undefined where there is one. */
export const chooseAsking = (): AskProcess | undefined => (readResident("self") === undefined ? askProcess : undefined);

export interface Observation {
  readonly pid: number;
  /** What the reference work took before: while the process runs, the work would be timed against it. */
  readonly workS: number;
  readonly ask: AskProcess | undefined;
  readonly watch: Watch;
  resident: Resident | undefined;
  /** Where there is no /proc: the answer that is awaited, and the last one. */
  asking: Promise<void> | undefined;
  entry: ProcessEntry | undefined;
  /** The next look. */
  timer: NodeJS.Timeout | undefined;
}

/** Begins to watch a process. */
export function beginObservation(pid: number, workS: number, ask: AskProcess | undefined): Observation {
  const watch = beginWatch(readSnapshot(pid, undefined, workS));
  const observation: Observation = {
    pid,
    workS,
    ask,
    watch,
    resident: undefined,
    asking: undefined,
    entry: undefined,
    timer: undefined,
  };
  scheduleLook(observation);
  return observation;
}

function scheduleLook(observation: Observation): void {
  lookAtProcess(observation);
  observation.timer = setTimeout(() => {
    look(observation);
    scheduleLook(observation);
  }, windowS * 1e3);
}

/** Ends a window by a look at the machine and at the process. */
function look(observation: Observation): Snapshot {
  const { pid, workS, watch } = observation;
  const seen = readSnapshot(pid, undefined, workS);
  const { ownS, mainS, waitS } = watch.latest;
  if (observation.ask !== undefined) {
    addWindow(watch, { ...seen, ownS: observation.entry?.cpuS ?? ownS });
    lookAtProcess(observation);
    return watch.latest;
  }
  // A process that has ended shows nothing any more: what was seen of it last stands.
  addWindow(watch, seen.ownS < ownS ? { ...seen, ownS, mainS, waitS } : seen);
  lookAtProcess(observation);
  return watch.latest;
}

/** Looks at the process's memory, or asks for it if it is not being asked for. */
function lookAtProcess(observation: Observation): void {
  if (observation.ask === undefined) observation.resident = readResident(observation.pid) ?? observation.resident;
  else observation.asking ??= askAnew(observation, observation.ask);
}

async function askAnew(observation: Observation, ask: AskProcess): Promise<void> {
  observation.entry = (await ask(observation.pid)) ?? observation.entry;
  observation.asking = undefined;
  if (observation.entry === undefined) return;
  const { residentBytes } = observation.entry;
  observation.resident = { now: residentBytes, peak: Math.max(residentBytes, observation.resident?.peak ?? 0) };
}

/** Looks a last time, and sums up what was seen. */
export function concludeObservation(observation: Observation): WatchSummary {
  return summarizeWatch(observation.watch, look(observation));
}

/** Looks no more; a process that has ended can't be looked at. */
export function stopObservation(observation: Observation | undefined): void {
  clearTimeout(observation?.timer);
}
