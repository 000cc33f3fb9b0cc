import type { JournalRecord } from "../load/journal.js";
import { countSamples, makeNumber, makeText, type Shape, textField } from "../load/sample.js";

/** A sample as the store has it. */
export interface StoredSample {
  readonly host: string;
  readonly group: number;
  readonly field: string;
  readonly timeUs: number;
  readonly value: number | string;
}

/** Samples, if nothing else is said. */
export interface Verdict {
  readonly produced: number;
  /** In batches that an agent was told are committed. */
  readonly acked: number;
  readonly stored: number;
  /** Told to be committed, and not stored. */
  readonly lost: number;
  /** Not stored, not told to be committed, and not counted as dropped by anyone. */
  readonly uncounted: number;
  /** Stored more than once. */
  readonly doubled: number;
  /** Stored with another value than was produced. */
  readonly changed: number;
  /** Stored, and produced by nobody. */
  readonly strangers: number;
  /** Told to be committed, and taken away from the store afterwards, or gone with a host that was set back. */
  readonly destroyed: number;
  /** Not stored, and counted as dropped by an agent, or as refused or rejected by a collector, by reason. */
  readonly dropped: Record<string, number>;
  /** Batches of spools that were put into quarantine, by reason; their samples are among the dropped. */
  readonly quarantined: Record<string, number>;
  /** Still in the memory of a process when it was killed: produced moments before, and never safe anywhere. */
  readonly unspooled: number;
  /** Some of what is wrong, in words. */
  readonly findings: string[];
}

export interface OracleOptions {
  readonly seed: number;
  readonly shape: Shape;
  /** What was produced so shortly before its process was killed may have been in memory only, milliseconds. */
  readonly memoryMs: number;
}

export interface Oracle {
  /** Shows it one sample of the store; all have to be shown, in any order. */
  see(sample: StoredSample): void;
  judge(): Verdict;
}

interface PointState {
  at: number;
  /** How often each of its samples is stored. */
  readonly seen: Uint8Array;
  /** Its process was killed so shortly after that it may never have reached the spool. */
  fleeting: boolean;
  taken: boolean;
  /** When it was told to be committed, milliseconds; 0 before. */
  ackedAt: number;
  /** Its host was set back to before it. */
  setBack: boolean;
  fate: "unknown" | "acked" | { readonly rejected: string };
}

interface HostState {
  readonly points: Map<number, PointState[]>;
  /**
   * Samples that agents and collectors say are lost, by reason, and of those how many no missing sample has used yet.
   */
  readonly dropped: Map<string, number>;
}

const mostFindings = 20;

function addTo(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

interface Told {
  readonly hosts: Map<string, HostState>;
  readonly quarantined: Map<string, number>;
  readonly refused: Map<string, { readonly code: string; readonly samples: number }[]>;
  readonly batchOf: Map<PointState, string>;
  readonly findings: string[];
  readonly destroyed: Extract<JournalRecord, { k: "destroyed" }>[];
  unknownAcks: number;
  /** Points whose time the host had given to others before. */
  restamped: number;
}

/** Goes through what one process wrote down, one life after the other. */
function readLives(records: readonly JournalRecord[], options: OracleOptions, told: Told): void {
  const { shape, memoryMs } = options;
  const batches = new Map<string, PointState[]>();
  /**
   * What each host's counts were last. They go on from life to life, and may go back by what a killed process had not
   * noted yet.
   */
  const counted = new Map<string, number>();
  let life: PointState[] = [];
  const made: PointState[] = [];
  let lastAt = 0;
  let ended = true;

  const hostOf = (name: string): HostState => {
    let host = told.hosts.get(name);
    if (host === undefined) {
      host = { points: new Map(), dropped: new Map() };
      told.hosts.set(name, host);
    }
    return host;
  };
  const endLife = (): void => {
    if (!ended) for (const point of life) point.fleeting = point.at >= lastAt - memoryMs;
    life = [];
  };
  const count = (key: string, total: number): number => {
    const more = Math.max(0, total - (counted.get(key) ?? 0));
    counted.set(key, total);
    return more;
  };
  const addCounts = ({ h, dropped, quarantined }: Extract<JournalRecord, { k: "counts" }>): void => {
    for (const [reason, samples] of Object.entries(dropped)) addTo(hostOf(h).dropped, reason, count(`${h} ${reason}`, samples));
    const batches = count(h, quarantined);
    if (batches > 0) addTo(told.quarantined, "SPOOL_CORRUPT", batches);
  };
  const make = ({ h, t, at }: Extract<JournalRecord, { k: "made" }>): void => {
    const host = hostOf(h);
    lastAt = at;
    const before = host.points.get(t);
    if (before?.every((point) => point.fleeting && !point.taken)) {
      // Nothing of it outlived the process before, so the host's clock could give the time again: it is the same
      // sample.
      for (const point of before) Object.assign(point, { at, fleeting: false });
      life.push(...before);
      return;
    }
    if (before !== undefined) {
      told.findings.push(`${h} stamped the time ${t} twice`);
      told.restamped += shape.groups;
    }
    const points = Array.from({ length: shape.groups }, (_, group): PointState => {
      return {
        at,
        seen: new Uint8Array(countSamples(shape, group)),
        fleeting: false,
        taken: false,
        ackedAt: 0,
        setBack: false,
        fate: "unknown",
      };
    });
    host.points.set(t, points);
    life.push(...points);
    made.push(...points);
  };
  const settle = ({ h, e, s, at = 0 }: { h: string; e: number; s: number; at?: number }, fate: PointState["fate"]): void => {
    const points = batches.get(`${h}/${e}/${s}`);
    if (points === undefined) {
      told.unknownAcks++;
      told.findings.push(`${h} was told of a batch ${e}/${s} that it never sent`);
      return;
    }
    // A rejection is final, but an acknowledgement is a promise: whatever else was said of the batch, it has to be
    // kept.
    for (const point of points) {
      if (point.fate !== "acked") point.fate = fate;
      if (fate === "acked") point.ackedAt ||= at;
    }
  };
  const setBack = ({ from, at }: Extract<JournalRecord, { k: "set-back" }>): void => {
    for (const point of made) if (point.at >= from && point.at <= at && point.fate !== "acked") point.setBack = true;
  };

  for (const record of records) {
    if (record.k === "begin") {
      endLife();
      ended = false;
      lastAt = record.at;
    } else if (record.k === "made") make(record);
    else if (record.k === "taken") {
      const points = record.p.flatMap(([time, group]) => hostOf(record.h).points.get(time)?.[group] ?? []);
      if (points.length !== record.p.length) told.findings.push(`${record.h} sent points that it did not produce`);
      const key = `${record.h}/${record.e}/${record.s}`;
      for (const point of points) {
        point.taken = true;
        told.batchOf.set(point, key);
      }
      batches.set(key, points);
    } else if (record.k === "acked") settle(record, "acked");
    // The agent gives the batch another name and sends it again.
    else if (record.k === "rejected" && record.code === "BATCH_ID_REUSED") continue;
    else if (record.k === "rejected") settle(record, { rejected: record.code });
    else if (record.k === "refused") {
      const key = `${record.h}/${record.e}/${record.s}`;
      told.refused.set(key, [...(told.refused.get(key) ?? []), { code: record.code, samples: record.n }]);
    } else if (record.k === "counts") addCounts(record);
    else if (record.k === "set-back") setBack(record);
    else if (record.k === "destroyed") told.destroyed.push(record);
    else ended = true;
  }
  endLife();
}

/**
 * Creates the judge of a run. It knows what was produced and what agents were told from the journals of all processes,
 * in full; what a store ought to hold of it, it computes itself.
 */
export function createOracle(journals: readonly (readonly JournalRecord[])[], options: OracleOptions): Oracle {
  const { seed, shape } = options;
  const told: Told = {
    hosts: new Map(),
    quarantined: new Map(),
    refused: new Map(),
    batchOf: new Map(),
    findings: [],
    destroyed: [],
    unknownAcks: 0,
    restamped: 0,
  };
  for (const records of journals) readLives(records, options, told);
  const { hosts, findings } = told;
  const find = (finding: string): void => {
    if (findings.length < mostFindings) findings.push(finding);
  };
  let [stored, doubled, changed, strangers] = [0, 0, 0, 0];

  const see = ({ host, group, field, timeUs, value }: StoredSample): void => {
    stored++;
    const point = hosts.get(host)?.points.get(timeUs)?.[group];
    const index = field === textField ? shape.fields : /^f\d+$/.test(field) ? Number(field.slice(1)) : -1;
    const where = `${host} group ${group} ${field} at ${timeUs}`;
    if (point === undefined || !(index in point.seen) || (field !== textField && index >= shape.fields)) {
      strangers++;
      find(`stranger: ${where} = ${value}`);
      return;
    }
    if (++point.seen[index] > 1) {
      doubled++;
      find(`doubled: ${where}`);
    }
    const right = field === textField ? makeText(seed, host, group, timeUs) : makeNumber(seed, host, group, index, timeUs);
    if (value !== right) {
      changed++;
      find(`changed: ${where} is ${value} and was ${right}`);
    }
  };

  const judge = (): Verdict => {
    const dropped = new Map<string, number>();
    const refusals = new Map([...told.refused].map(([key, list]) => [key, list.map((entry) => ({ ...entry }))]));
    let [produced, acked, lost, uncounted, destroyed, unspooled] = [0, 0, 0, 0, 0, 0];
    const isDestroyed = ({ ackedAt }: PointState): boolean =>
      told.destroyed.some(({ from, at }) => ackedAt >= from && ackedAt <= at);

    /** Lets a refusal or a drop that was counted account for a missing sample. */
    const useRefusal = (point: PointState): boolean => {
      const list = refusals.get(told.batchOf.get(point) ?? "") ?? [];
      const refusal = list.find(({ samples }) => samples > 0);
      if (refusal === undefined) return false;
      refusal.samples--;
      addTo(dropped, refusal.code, 1);
      return true;
    };
    const judgeHost = (name: string, host: HostState): void => {
      const budget = new Map(host.dropped);
      const useDrop = (): boolean => {
        const reason = [...budget].find(([, samples]) => samples > 0)?.[0];
        if (reason === undefined) return false;
        addTo(budget, reason, -1);
        addTo(dropped, reason, 1);
        return true;
      };
      const fleeting: string[] = [];
      for (const [time, points] of host.points) {
        for (const [group, point] of points.entries()) {
          produced += point.seen.length;
          if (point.fate === "acked") acked += point.seen.length;
          for (const [index, seen] of point.seen.entries()) {
            if (seen > 0) continue;
            const where = `${name} group ${group} sample ${index} at ${time}`;
            if (point.fate === "acked") {
              if (useRefusal(point)) continue;
              if (isDestroyed(point)) destroyed++;
              else {
                lost++;
                find(`lost: ${where} was acknowledged at ${point.ackedAt}`);
              }
            } else if (point.setBack) destroyed++;
            else if (typeof point.fate === "object") addTo(dropped, point.fate.rejected, 1);
            else if (point.fleeting && !point.taken) fleeting.push(where);
            else if (!useDrop()) {
              uncounted++;
              find(
                `uncounted: ${where} was ${point.taken ? "sent and never acknowledged" : "never sent"}, and nobody counts it as dropped`,
              );
            }
          }
        }
      }
      for (const _ of fleeting) if (!useDrop()) unspooled++;
    };
    for (const [name, host] of hosts) judgeHost(name, host);
    return {
      produced,
      acked,
      stored,
      lost,
      uncounted,
      destroyed,
      doubled,
      changed: changed + told.restamped,
      strangers: strangers + told.unknownAcks,
      dropped: Object.fromEntries(dropped),
      quarantined: Object.fromEntries(told.quarantined),
      unspooled,
      findings: findings.slice(0, mostFindings),
    };
  };
  return { see, judge };
}
