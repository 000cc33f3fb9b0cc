import { setTimeout as delay } from "node:timers/promises";
import { destination, pino } from "pino";
import { type ClockReading, readHostClocks } from "#agent/time/clock.js";
import { openJournal } from "./journal.js";
import { type HostOptions, type Naming, type SimulatedHost, startHost } from "./simulated-host.js";

/** What a process of simulated hosts is started with: JSON, its only argument. */
export interface FleetProcessOptions extends Omit<HostOptions, keyof Naming> {
  readonly hosts: readonly Naming[];
  /** What the hosts' clocks are ahead of the machine's at the start, seconds; none by default. */
  readonly clockStepS?: number;
  readonly intervalMs: number;
  readonly journal: string;
  readonly log: string;
}

/** What it is told. */
export type FleetCommand =
  | { readonly command: "quiet" }
  /** The hosts' clocks step by so much. */
  | { readonly command: "clock"; readonly stepS: number }
  /** Deliver what is left, for at most so long, and exit. */
  | { readonly command: "drain"; readonly seconds: number };

/** What it tells. */
export type FleetEvent =
  | {
      readonly event: "status";
      /**
       * The newest sample of the host that is furthest behind which is known to be committed was made then,
       * milliseconds.
       */
      readonly ackedThrough: number;
      readonly recorded: number;
      readonly acked: number;
      readonly rssBytes: number;
    }
  | { readonly event: "drained"; readonly unacked: number };

const statusMs = 200;

const options = JSON.parse(process.argv[2]) as FleetProcessOptions;
const journal = openJournal(options.journal);
const logger = pino({ level: "info", base: undefined }, destination({ dest: options.log, append: true, sync: true }));
journal.write({ k: "begin", at: Date.now() });

let clockStepUs = (options.clockStepS ?? 0) * 1e6;
let producing = true;

/** The hosts' clocks, which all step together. */
function readClocks(): ClockReading {
  const { wallUs, steadyUs } = readHostClocks();
  return { wallUs: wallUs + clockStepUs, steadyUs };
}

function tell(event: FleetEvent): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve();
    else process.send?.(event, undefined, undefined, () => resolve());
  });
}

/** Hosts take their turns spread over the interval, as a fleet's do. */
async function produceForEver(hosts: readonly SimulatedHost[]): Promise<void> {
  const begin = performance.now();
  for (let turn = 0; producing; turn++) {
    const due = begin + (turn * options.intervalMs) / hosts.length;
    const wait = due - performance.now();
    if (wait > 1) await delay(wait);
    if (producing) hosts[turn % hosts.length].produce();
  }
}

function report(hosts: readonly SimulatedHost[]): void {
  for (const host of hosts) host.writeCounts();
  void tell({
    event: "status",
    ackedThrough: Math.min(...hosts.map((host) => host.ackedThrough())),
    recorded: hosts.reduce((sum, { delivery }) => sum + delivery.counts.recorded, 0),
    acked: hosts.reduce((sum, { delivery }) => sum + delivery.counts.acked, 0),
    rssBytes: process.memoryUsage.rss(),
  });
}

async function drain(hosts: readonly SimulatedHost[], seconds: number): Promise<never> {
  producing = false;
  const left = await Promise.all(hosts.map(({ delivery }) => delivery.stop(seconds)));
  for (const host of hosts) host.writeCounts();
  journal.write({ k: "end", at: Date.now() });
  await tell({ event: "drained", unacked: left.reduce((sum, { unacked }) => sum + unacked, 0) });
  process.exit(0);
}

const hosts = await Promise.all(options.hosts.map((naming) => startHost({ ...options, ...naming }, journal, logger, readClocks)));
process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {});
process.on("message", (message: FleetCommand) => {
  if (message.command === "quiet") producing = false;
  else if (message.command === "clock") clockStepUs += message.stepS * 1e6;
  else void drain(hosts, message.seconds);
});
setInterval(() => report(hosts), statusMs);
await produceForEver(hosts);
