import type { Logger } from "@fleetmark/shared/log";
import { nameBatch } from "@fleetmark/shared/model/batch";
import { pino } from "pino";
import type { EncodedBatch, Fate, Priority } from "../src/batch/encoded-batch.js";
import { comparePositions, type Entry, origin, type Position } from "../src/batch/entry.js";
import { createCounts, type DeliveryCounts } from "../src/delivery/counts.js";
import { openSpool, type Spool, type SpoolOptions } from "../src/spool/spool.js";

/** A spool in a folder, with what it has told. */
export interface TestSpool {
  readonly spool: Spool;
  readonly counts: DeliveryCounts;
  readonly ready: Entry[];
  readonly gone: [name: string, fate: Fate][];
  /** Codes and events of its log. */
  readonly codes: string[];
  /** Puts a batch of one sample; returns its name. Its bytes can be told from all others. */
  put(priority: Priority, size: number, wallMs?: number): string;
  /** Everything in it, as it would be resent. */
  readAll(): Promise<Entry[]>;
}

export const startMs = 1_700_000_000_000;

/** The bytes of a test's batch: no other of them has the same. */
export function makeBytes(position: Position, size: number): Uint8Array {
  const text = `${nameBatch(position)};`;
  return Buffer.from(text.repeat(Math.ceil((size + 1) / text.length))).subarray(0, size);
}

export function makeBatch(position: Position, priority: Priority, size: number, host = "h"): EncodedBatch {
  return { id: { host, ...position }, priority, bytes: makeBytes(position, size), samples: 1 };
}

/** Reads a priority to its end, in small chunks. */
async function readPriority(spool: Spool, priority: Priority): Promise<Entry[]> {
  const entries: Entry[] = [];
  const end = { epochUs: Number.MAX_SAFE_INTEGER, sequence: 2 ** 40 };
  for (let after: Position | undefined = origin; after !== undefined; ) {
    const chunk = await spool.read(priority, after, end, 1000);
    if (chunk === undefined) throw new Error("the disk does not answer");
    entries.push(...chunk.entries);
    after = chunk.next;
  }
  const sorted = [...entries].sort((a, b) => comparePositions(a.id, b.id));
  if (entries.some((entry, i) => entry !== sorted[i])) throw new Error("out of order");
  return entries;
}

export async function openTestSpool(dir: string, given: Partial<SpoolOptions> = {}): Promise<TestSpool> {
  const counts = createCounts();
  const ready: Entry[] = [];
  const gone: [string, Fate][] = [];
  const codes: string[] = [];
  const logger: Logger = pino({}, { write: (line: string) => codes.push(JSON.parse(line).code ?? JSON.parse(line).event) });
  let wall = startMs;
  const spool = await openSpool({
    host: "h",
    dir,
    maxBytes: 1e8,
    maxAge: 1e6,
    logger,
    losses: counts,
    wallMs: startMs,
    ...given,
  });
  spool.listen({
    onReady: (entries) => ready.push(...entries),
    onGone: (batch, fate) => gone.push([nameBatch(batch), fate]),
    onReadable: () => {},
    onMoved: () => {},
  });
  let sequence = 0;
  return {
    spool,
    counts,
    ready,
    gone,
    codes,
    put(priority, size, wallMs = wall) {
      wall = wallMs;
      const position = { epochUs: spool.epochUs, sequence: ++sequence };
      spool.put(makeBatch(position, priority, size, given.host), { lastUs: wall * 1000, generation: 0 }, wall);
      return nameBatch(position);
    },
    readAll: async () => [...(await readPriority(spool, "result")), ...(await readPriority(spool, "telemetry"))],
  };
}
