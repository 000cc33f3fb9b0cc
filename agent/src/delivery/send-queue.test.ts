import fc from "fast-check";
import { expect, test } from "vitest";
import type { Priority } from "../batch/encoded-batch.js";
import { comparePositions, type Entry, type Position } from "../batch/entry.js";
import { createSendQueue, queueLimits } from "./send-queue.js";

const epochUs = 1000;

function makeEntry(sequence: number, priority: Priority = "telemetry", size = 100, epoch = epochUs): Entry {
  return { id: { host: "h", epochUs: epoch, sequence }, priority, bytes: new Uint8Array(size), samples: 1, putMs: 0 };
}

/** A spool in memory and a clock moved by hand. */
function setUp(stored: Entry[], rate = 1e9) {
  const held: Entry[] = [];
  let reads = 0;
  let time = 0;
  let last: Position = { epochUs, sequence: 0 };
  const state = { readable: true };
  const queue = createSendQueue({
    rate,
    now: () => time,
    spool: {
      async read(priority, after, upTo, bytes) {
        reads++;
        if (!state.readable) return undefined;
        const entries: Entry[] = [];
        let size = 0;
        for (const entry of [...stored].sort((a, b) => comparePositions(a.id, b.id))) {
          if (entry.priority !== priority || comparePositions(entry.id, after) <= 0 || comparePositions(entry.id, upTo) > 0)
            continue;
          if (size >= bytes) break;
          entries.push(entry);
          size += entry.bytes.length;
        }
        return { entries, next: entries.at(-1)?.id };
      },
      listHeld: () => held,
      isHeld: (entry) => held.includes(entry),
      lastKept: () => last,
    },
  });
  const offer = (...entries: Entry[]): void => {
    stored.push(...entries.filter((entry) => !held.includes(entry)));
    last = entries[entries.length - 1].id;
    queue.offer(entries);
  };
  const waitForReads = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  /** Takes all that is at hand, giving the reader time to go on. */
  const drain = async (): Promise<number[]> => {
    const taken: number[] = [];
    for (let misses = 0; misses < 3; ) {
      await waitForReads();
      const entry = queue.takeNext(() => true);
      if (entry === undefined) misses++;
      else taken.push(entry.id.sequence);
    }
    return taken;
  };
  const pass = (ms: number): void => {
    time += ms;
    queue.resume();
  };
  return { queue, offer, drain, waitForReads, pass, held, state, reads: () => reads };
}

test("before a stream begins nothing is kept in memory; then the backlog goes, earlier epochs and results first", async () => {
  const stored = [makeEntry(5, "telemetry", 100, 7), makeEntry(6, "result", 100, 7)];
  const { queue, offer, drain } = setUp(stored);
  offer(makeEntry(1), makeEntry(2, "result"));
  expect(await drain()).toEqual([]);
  queue.restart();
  expect(await drain()).toEqual([6, 2, 5, 1]);
  queue.restart();
  expect((await drain()).length).toBe(4);
});

test("fresh batches and the backlog take turns", async () => {
  const { queue, offer, drain, waitForReads } = setUp(Array.from({ length: 4 }, (_, i) => makeEntry(i + 1, "telemetry", 100, 7)));
  queue.restart();
  await waitForReads();
  offer(makeEntry(11), makeEntry(12), makeEntry(13));
  expect(await drain()).toEqual([11, 1, 12, 2, 13, 3, 4]);
});

test("the backlog is read no faster than the rate, and fresh batches don't wait for it", async () => {
  const stored = Array.from({ length: 100 }, (_, i) => makeEntry(i + 1, "telemetry", 1000, 7));
  const { queue, offer, drain, pass } = setUp(stored, 10_000);
  queue.restart();
  expect((await drain()).length).toBe(10);
  offer(makeEntry(200));
  expect(await drain()).toEqual([200]);
  pass(500);
  expect((await drain()).length).toBe(5);
  pass(60_000);
  expect((await drain()).length).toBe(10);
});

test("what a slow stream leaves becomes backlog, so that memory stays bounded", async () => {
  const { queue, offer, drain } = setUp([], 1e6);
  queue.restart();
  const all = Array.from({ length: 3 * queueLimits.freshBatches }, (_, i) => makeEntry(i + 1));
  for (const entry of all) offer(entry);
  const taken = await drain();
  expect(taken.sort((a, b) => a - b)).toEqual(all.map(({ id }) => id.sequence));
});

test("what the disk can't take is sent from memory, and comes again with the next stream", async () => {
  const { queue, offer, drain, held } = setUp([]);
  queue.restart();
  const entry = makeEntry(1);
  held.push(entry);
  offer(entry);
  expect(await drain()).toEqual([1]);
  queue.restart();
  expect(await drain()).toEqual([1]);
});

test("a disk that can't be read is asked again", async () => {
  const { queue, drain, state, pass } = setUp([makeEntry(1, "telemetry", 1, 7)]);
  state.readable = false;
  queue.restart();
  expect(await drain()).toEqual([]);
  state.readable = true;
  pass(1);
  expect(await drain()).toEqual([1]);
});

const stepArbitrary = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ offer: fc.integer({ min: 1, max: 200 }), priority: fc.constantFrom<Priority>("telemetry", "result") }),
  },
  { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 100 }) }) },
  { weight: 1, arbitrary: fc.constant({ begin: true } as const) },
);

test("whatever happens, each batch is given at least once a stream, and in order within its lane and priority", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 30 }), async (steps) => {
      const { queue, offer, drain, waitForReads } = setUp([]);
      let sequence = 0;
      let given = new Set<number>();
      queue.restart();
      for (const step of steps) {
        if ("offer" in step) for (let i = 0; i < step.offer; i++) offer(makeEntry(++sequence, step.priority));
        else if ("begin" in step) {
          queue.restart();
          given = new Set();
        } else
          for (let i = 0; i < step.take; i++) {
            await waitForReads();
            const entry = queue.takeNext(() => true);
            if (entry !== undefined) given.add(entry.id.sequence);
          }
      }
      for (const each of await drain()) given.add(each);
      expect(given.size).toBe(sequence);
    }),
    { numRuns: 40 },
  );
}, 30_000);

test("what leaves while it is read is not sent", async () => {
  const stored = [makeEntry(1, "telemetry", 100, 7), makeEntry(2, "telemetry", 100, 7)];
  const { queue, drain, reads } = setUp(stored);
  queue.restart();
  // Results are asked for first. Then the disk's answer is under way, and holds it still.
  while (reads() < 2) await Promise.resolve();
  queue.forget({ epochUs: 7, sequence: 1 });
  expect(await drain()).toEqual([2]);
});
