import { FleetmarkError } from "@fleetmark/shared/errors";
import type { RunOutlook, RunProgress } from "@fleetmark/shared/model/progress";
import type { HostClock } from "./clock-check.js";

/** What an agent says of its host when it attaches. */
export interface AgentHello {
  readonly host: string;
  readonly version: string;
  readonly hwClass: string;
  /** A JSON object, as text. */
  readonly inventoryJson: string;
}

/** What became of a host's batches since the collector began. */
export interface HostCounters {
  batches_received: number;
  batches_rejected: number;
  samples_refused: number;
}

/** What the collector knows of a host at this moment, beside what is stored. */
export interface HostState {
  readonly host: string;
  /** Unknown of a host that has introduced itself to another collector. */
  hello: AgentHello | undefined;
  /** Whether its agent is here, as presence.ts has it. */
  attached: boolean;
  /** Microseconds since the Unix epoch. */
  attachedSinceUs: number;
  lastSeenUs: number;
  /** The run under way; undefined when there is none, or none is known of. */
  progress: RunProgress | undefined;
  /** What it is to run next; undefined while it has not told. */
  outlook: RunOutlook | undefined;
  /** What its clock showed when it last told; undefined while it has not. */
  clock: HostClock | undefined;
  readonly counters: HostCounters;
}

/** The hosts that were heard of since the collector began, by name; at most so many. */
export interface Fleet {
  /**
   * Returns the state of a host that was heard of just now. While the fleet is full, a host that was not heard of for
   * an hour makes room for a new one.
   * @throws FleetmarkError HOSTS_TOO_MANY
   */
  touch(host: string, nowUs: number): HostState;
  get(host: string): HostState | undefined;
  names(): string[];
  /** What the hosts' clocks showed. */
  clocks(): Iterable<HostClock | undefined>;
}

/** So long a silent host keeps its place. Hostile names can therefore take the collector's memory only so fast. */
const keptUs = 3600e6;

function createHostState(host: string): HostState {
  const counters = { batches_received: 0, batches_rejected: 0, samples_refused: 0 };
  return {
    host,
    hello: undefined,
    attached: false,
    attachedSinceUs: 0,
    lastSeenUs: 0,
    progress: undefined,
    outlook: undefined,
    clock: undefined,
    counters,
  };
}

function* listClocks(hosts: Iterable<HostState>): Iterable<HostClock | undefined> {
  for (const { clock } of hosts) yield clock;
}

export function createFleet(maxHosts: number): Fleet {
  const hosts = new Map<string, HostState>();

  const makeRoom = (nowUs: number): void => {
    for (const [host, { attached, lastSeenUs }] of hosts) {
      if (attached || nowUs - lastSeenUs < keptUs) continue;
      hosts.delete(host);
      return;
    }
    throw new FleetmarkError("HOSTS_TOO_MANY", `${hosts.size} hosts send to this collector (the limit is ${maxHosts})`);
  };

  return {
    touch: (host, nowUs) => {
      let state = hosts.get(host);
      if (state === undefined) {
        if (hosts.size >= maxHosts) makeRoom(nowUs);
        state = createHostState(host);
        hosts.set(host, state);
      }
      state.lastSeenUs = nowUs;
      return state;
    },
    get: (host) => hosts.get(host),
    names: () => [...hosts.keys()],
    clocks: () => listClocks(hosts.values()),
  };
}
