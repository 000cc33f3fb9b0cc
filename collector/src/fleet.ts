/** What an agent says of its host when it attaches. */
export interface AgentHello {
  readonly host: string;
  readonly version: string;
  readonly hwClass: string;
  /** A JSON object, as text. */
  readonly inventoryJson: string;
}

/** Progress of the run under way on a host. */
export interface RunProgress {
  readonly run: string;
  readonly suite: string;
  /** Benchmarks completed and in all. */
  readonly completed: number;
  readonly total: number;
  /** The benchmark under way. */
  readonly benchmark: string;
  readonly elapsed_s: number;
  readonly remaining_s: number;
}

/** What became of a host's batches since the collector began. */
export interface HostCounters {
  batches_received: number;
  batches_rejected: number;
  samples_refused: number;
}

/** What the collector knows of a host at this moment, beside what is stored. */
export interface HostState {
  hello: AgentHello;
  attached: boolean;
  /** Microseconds since the Unix epoch. */
  attachedSinceUs: number;
  lastSeenUs: number;
  progress: RunProgress | undefined;
  readonly counters: HostCounters;
}

/** The hosts that have attached since the collector began, by name. */
export type Fleet = Map<string, HostState>;

/** Records that an agent attached; the counters of a host that comes back go on. */
export function attachHost(fleet: Fleet, hello: AgentHello, nowUs: number): HostState {
  const counters = fleet.get(hello.host)?.counters ?? { batches_received: 0, batches_rejected: 0, samples_refused: 0 };
  const state = { hello, attached: true, attachedSinceUs: nowUs, lastSeenUs: nowUs, progress: undefined, counters };
  fleet.set(hello.host, state);
  return state;
}

/** Records that an agent went. Nothing will tell how its run goes on, so the progress goes too. */
export function detachHost(state: HostState): void {
  state.attached = false;
  state.progress = undefined;
}
