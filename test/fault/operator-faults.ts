import { execFile } from "node:child_process";
import { setMaxListeners } from "node:events";
import { appendFileSync, closeSync, cpSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createRandom, drawInteger } from "@fleetmark/shared/stats/random";
import type { FleetProcess } from "../load/fleet.js";
import type { JournalRecord } from "../load/journal.js";
import { spoolFolder } from "../load/simulated-host.js";
import { fleetmarkBin } from "../testbed/program.js";
import { choose, type FaultKind, startAgain } from "./fault-kind.js";
import { renameHost, type Topology } from "./topology.js";

/**
 * What people do, and what happens to what they care for: clocks that are set, folders that are removed or put back,
 * hosts that get another's name or a new one, machines that are set back to a snapshot, files whose blocks are damaged,
 * and readers who ask much.
 */

const run = promisify(execFile);
const notOurs = "the store is a server";

const clockOffsetsS = [2 * 3600, -2 * 3600, 500 * 86_400, -500 * 86_400];

const collectorClock: FaultKind = {
  name: "collector-clock",
  obstacle: () => undefined,
  strikes: ({ collectors }, pick) => [choose(collectors, pick).name],
  async begin({ collectors }, pick) {
    const collector = choose(collectors, pick);
    collector.setClock(choose(clockOffsetsS, (pick * 1000) % 1));
    return async () => collector.setClock(0);
  },
};

/** Everything that delivers: what was committed before is known to all of it, as soon as it had a second's time. */
function listAll({ collectors, fleet, nats }: Topology): string[] {
  return [...collectors, ...fleet].map(({ name }) => name).concat(nats.length > 0 ? ["nats"] : [], "wire", "spool");
}

/** Stops the collector in the midst of its work, and lets what it has answered arrive. */
async function holdStill({ collectors }: Topology): Promise<void> {
  collectors[0].signal("SIGSTOP");
  await delay(1000);
}

/**
 * What was committed when a collector was held still may be answered as soon as it goes on: it was in the data all the
 * same. One that takes no notice of what happened answers for much longer.
 */
const answeredWithinMs = 250;

function needData(topology: Topology): string {
  if (topology.dataDir === undefined) throw new Error(notOurs);
  return topology.dataDir;
}

function strikeData(name: string, begin: FaultKind["begin"]): FaultKind {
  return { name, obstacle: ({ dataDir }) => (dataDir === undefined ? notOurs : undefined), strikes: listAll, begin };
}

const dataVanished = strikeData("data-vanished", async (topology) => {
  await holdStill(topology);
  rmSync(needData(topology), { recursive: true });
  topology.note({ k: "destroyed", from: 0, at: Date.now() + answeredWithinMs });
  topology.collectors[0].signal("SIGCONT");
  return async () => {};
});

interface Backup {
  readonly file: string;
  /** What was committed before is in it. */
  readonly since: number;
}

async function backUp(topology: Topology): Promise<Backup> {
  const dataDir = needData(topology);
  const folder = `${dataDir}.backup`;
  rmSync(folder, { recursive: true, force: true });
  const since = Date.now();
  const { NODE_OPTIONS: _, ...env } = process.env;
  await run(process.execPath, [fleetmarkBin, "store", "backup", folder, "--data-dir", dataDir, "--json"], { env });
  return { file: join(folder, "fleetmark.duckdb"), since };
}

/** Puts the data file of a backup in the place of the one that is there, as a person does by hand. */
function putBack(topology: Topology, { file, since }: Backup): void {
  const dataDir = needData(topology);
  const place = join(dataDir, "fleetmark.duckdb");
  for (const path of [place, `${place}.wal`]) rmSync(path, { force: true });
  renameSync(file, place);
  topology.note({ k: "destroyed", from: since, at: Date.now() + answeredWithinMs });
}

const dataRestored = strikeData("data-restored", async (topology) => {
  const backup = await backUp(topology);
  return async () => {
    await holdStill(topology);
    putBack(topology, backup);
    topology.collectors[0].signal("SIGCONT");
  };
});

/** Changes bytes of some blocks of a file as a disk does. The first 12 KiB tell where all else lies, and are kept twice. */
function damageBlocks(path: string, chance: () => number): void {
  const { size } = statSync(path);
  const file = openSync(path, "r+");
  for (let i = 0; i < 3; i++)
    writeSync(file, Buffer.alloc(64, 0xa5), 0, 64, 12_288 + drawInteger(chance, Math.max(1, size - 12_352)));
  fsyncSync(file);
  closeSync(file);
}

const dataDamaged = strikeData("data-damaged", async (topology, pick) => {
  const [collector] = topology.collectors;
  const backup = await backUp(topology);
  await collector.kill();
  damageBlocks(join(needData(topology), "fleetmark.duckdb"), createRandom(Math.floor(pick * 2 ** 31)));
  // It may refuse to start, which is one good answer of two; but it may not end once it has begun.
  const before = collector.crashes.length;
  await collector.start().catch(() => collector.crashes.splice(before));
  return async () => {
    await collector.kill();
    await delay(1000);
    putBack(topology, backup);
    await startAgain(collector);
  };
});

const mostReaders = 60;

/** Asks for all that there is, again and again. */
async function readMuch(http: string, signal: AbortSignal): Promise<void> {
  const query = "measurement=load&field=f1&from=-1d&bucket=1s";
  // Of each request its own: fetch leaves a listener on the signal that it was given.
  let asking = new AbortController();
  signal.addEventListener("abort", () => asking.abort(), { once: true });
  while (!signal.aborted) {
    asking = new AbortController();
    try {
      const answer = await fetch(`${http}/api/v1/series?${query}`, { signal: asking.signal });
      await answer.arrayBuffer();
    } catch {
      // Refused for now, or the collector is down: another fault may have struck it.
      await delay(100);
    }
  }
}

const heavyReaders: FaultKind = {
  name: "heavy-readers",
  obstacle: () => undefined,
  strikes: ({ collectors }, pick) => [`readers of ${choose(collectors, pick).name}`],
  async begin({ collectors }, pick) {
    const end = new AbortController();
    setMaxListeners(mostReaders, end.signal);
    const { http } = choose(collectors, pick);
    const readers = Array.from({ length: mostReaders }, () => readMuch(http, end.signal));
    return async () => {
      end.abort();
      await Promise.all(readers);
    };
  },
};

function listSpools({ spools }: Topology, { hosts }: FleetProcess): string[] {
  return hosts.map(({ host }) => spoolFolder(spools, host));
}

const strikeSpools: FaultKind["strikes"] = ({ fleet, collectors }, pick) => [
  choose(fleet, pick).name,
  "spool",
  ...collectors.map(({ name }) => name),
];

/** Does something while the collectors are stopped for long enough that there is something in the spools. */
async function whileSpooled({ collectors }: Topology, act: () => void | Promise<void>): Promise<void> {
  for (const collector of collectors) collector.signal("SIGSTOP");
  try {
    await delay(2000);
    await act();
  } finally {
    for (const collector of collectors) collector.signal("SIGCONT");
  }
}

const spoolVanished: FaultKind = {
  name: "spool-vanished",
  obstacle: () => undefined,
  strikes: strikeSpools,
  async begin(topology, pick) {
    const folders = listSpools(topology, choose(topology.fleet, pick));
    await whileSpooled(topology, () => {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
    return async () => {};
  },
};

/** Copies what is a file, for a lock is a socket. */
function copySpool(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, filter: (path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === false });
}

const snapshotOf = (folder: string): string => `${folder}.snapshot`;

/** Puts copies in the places of the folders that they were made of. */
function setBack(folders: readonly string[]): void {
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true });
    renameSync(snapshotOf(folder), folder);
  }
}

const spoolRestored: FaultKind = {
  name: "spool-restored",
  obstacle: () => undefined,
  strikes: strikeSpools,
  async begin(topology, pick) {
    const folders = listSpools(topology, choose(topology.fleet, pick));
    await whileSpooled(topology, () => {
      for (const folder of folders) copySpool(folder, snapshotOf(folder));
    });
    return () => whileSpooled(topology, () => setBack(folders));
  },
};

/** A machine that is set back has the clock of then too, until somebody sets it. More than 75 minutes are not slewed. */
const snapshotClockS = -2 * 3600;

/**
 * Machines are set back to a snapshot twice, and begin from it twice: so they give the same names to different batches.
 */
const hostsSetBack: FaultKind = {
  name: "hosts-set-back",
  obstacle: () => undefined,
  strikes: strikeSpools,
  async begin(topology, pick) {
    const process = choose(topology.fleet, pick);
    const folders = listSpools(topology, process);
    await process.kill();
    for (const folder of folders) copySpool(folder, snapshotOf(folder));
    const from = Date.now();
    process.start({ clockStepS: snapshotClockS });
    return async () => {
      await process.kill();
      setBack(folders);
      const record: JournalRecord = { k: "set-back", from, at: Date.now() };
      appendFileSync(process.journal, `${JSON.stringify(record)}\n`);
      process.start({ clockStepS: snapshotClockS });
      await delay(3000);
      process.step(-snapshotClockS);
    };
  },
};

const renamed: FaultKind = {
  name: "hosts-renamed",
  obstacle: () => undefined,
  strikes: strikeSpools,
  async begin(topology, pick) {
    const process = choose(topology.fleet, pick);
    await whileSpooled(topology, () => process.kill());
    process.start({ hosts: process.hosts.map(({ host }) => ({ host: renameHost(host), spool: host })) });
    return async () => {
      await process.kill();
      process.start();
    };
  },
};

let twins = 0;
const drainS = 60;

/** Other machines come with names that are taken, and are given names of their own in the end. */
const twinned: FaultKind = {
  name: "twins",
  obstacle: () => undefined,
  strikes: (topology, pick) => [choose(topology.fleet, pick).name, ...topology.collectors.map(({ name }) => name), "nats"],
  async begin({ fleet, startGuests }, pick) {
    const hosts = choose(fleet, pick)
      .hosts.slice(0, 3)
      .map(({ host }) => {
        const own = `twin-${++twins}-of-${host}`;
        return { host, storedAs: own, spool: own };
      });
    const guests = startGuests(hosts);
    return async () => {
      await guests.kill();
      guests.start({ hosts: hosts.map(({ storedAs, spool }) => ({ host: storedAs, storedAs, spool })) });
      await delay(1000);
      const left = await guests.drain(drainS);
      if (left > 0) throw new Error(`${left} samples of hosts that were twins could not be delivered`);
    };
  },
};

export const operatorFaults: readonly FaultKind[] = [
  collectorClock,
  dataVanished,
  dataRestored,
  dataDamaged,
  heavyReaders,
  spoolVanished,
  spoolRestored,
  hostsSetBack,
  renamed,
  twinned,
];
