import { create } from "@bufbuild/protobuf";
import { type Ack, AckSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Fate } from "../batch/encoded-batch.js";
import type { Entry, Position } from "../batch/entry.js";
import { addCount } from "../batch/losses.js";
import { createCounts } from "./counts.js";
import type { SendQueue } from "./send-queue.js";
import { createSendWindow, type SendWindow, windowLimits } from "./send-window.js";

const epochUs = 1_700_000_000_000_000;

/** A spool in memory, whose batches are at hand as soon as they are put. */
function setUp() {
  const counts = createCounts();
  const entries: Entry[] = [];
  let given = new Set<Entry>();
  const byName: number[] = [];
  const leave = (entry: Entry, fate: Fate): void => {
    if (fate === "committed") counts.acked += entry.samples;
    else addCount(counts.dropped, fate, entry.samples);
    entries.splice(entries.indexOf(entry), 1);
    window.forget(entry.id);
  };
  const spool = {
    epochUs,
    findHost: (epoch: number) => (epoch === epochUs || epoch === 7 ? "h" : undefined),
    release: leave,
    releaseByName({ epochUs: epoch, sequence }: Position, fate: Fate) {
      byName.push(sequence);
      const entry = entries.find(({ id }) => id.sequence === sequence && id.epochUs === epoch);
      if (entry !== undefined) leave(entry, fate);
    },
  };
  const queue: SendQueue = {
    restart() {
      given = new Set();
    },
    takeNext(accept) {
      const entry = entries.find((each) => !given.has(each));
      if (entry === undefined || !accept(entry)) return undefined;
      given.add(entry);
      return entry;
    },
    offer: () => {},
    forget: () => {},
    resume: () => {},
    listen: () => {},
    stop: () => {},
  };
  let last = 0;
  const put = (size = 10, epoch = epochUs): void => {
    const id = { host: "h", epochUs: epoch, sequence: ++last };
    entries.push({ id, priority: "telemetry", bytes: new Uint8Array(size), samples: 2, putMs: 0 });
    counts.recorded += 2;
  };
  const window = createSendWindow({ spool, queue, counts, logger: pino({ level: "silent" }), renumber: () => {} });
  return { counts, entries, put, window, byName };
}

const makeId = (sequence: number, host = "h") => ({ host, epochUs: BigInt(epochUs), sequence: BigInt(sequence) });

function commit(...sequences: number[]): Ack {
  return create(AckSchema, { committed: sequences.map((sequence) => makeId(sequence)) });
}

function drain(window: SendWindow): number[] {
  const taken: number[] = [];
  for (let batch = window.takeNext(); batch !== undefined; batch = window.takeNext()) taken.push(batch.id.sequence);
  return taken;
}

test("sends in order, within the window, and goes on as acknowledgements come", () => {
  const { put, window, counts } = setUp();
  for (let i = 0; i < windowLimits.batches + 3; i++) put();
  window.restart(0);
  expect(drain(window).length).toBe(windowLimits.batches);
  window.acknowledge(commit(1, 2));
  expect([2, 3].map((sequence) => window.awaits({ host: "h", epochUs, sequence }))).toEqual([false, true]);
  expect(drain(window)).toEqual([windowLimits.batches + 1, windowLimits.batches + 2]);
  expect(counts.acked).toBe(4);
});

test("a batch larger than the window's bytes still goes, alone", () => {
  const { put, window } = setUp();
  put(windowLimits.bytes + 1);
  put();
  window.restart(0);
  expect(drain(window)).toEqual([1]);
  window.acknowledge(commit(1));
  expect(drain(window)).toEqual([2]);
});

test("a new stream sends everything unacknowledged again and counts it as resent", () => {
  const { put, window, counts } = setUp();
  for (let i = 0; i < 3; i++) put();
  window.restart(0);
  drain(window);
  window.acknowledge(commit(2));
  put();
  window.restart(0);
  expect(drain(window)).toEqual([1, 3, 4]);
  expect([counts.sent, counts.resent]).toEqual([8, 4]);
});

test("drops what the collector rejects or cannot take, by code, and keeps foreign codes out of the tags", () => {
  const { put, window, counts, entries } = setUp();
  put(10);
  put(500);
  put(10);
  window.restart(100);
  expect(drain(window)).toEqual([1, 3]);
  const rejected = [1, 3].map((sequence, i) => ({ id: makeId(sequence), code: ["BATCH_MALFORMED", "<b>"][i], message: "no" }));
  window.acknowledge(create(AckSchema, { rejected }));
  expect(Object.fromEntries(counts.dropped)).toEqual({ BATCH_TOO_LARGE: 2, BATCH_MALFORMED: 2, UNKNOWN: 2 });
  expect(entries.length).toBe(0);
});

test("counts refused samples, and ignores acknowledgements of what it never sent", () => {
  const { put, window, counts, entries } = setUp();
  put();
  put();
  window.restart(0);
  window.takeNext();
  const refused = [{ id: makeId(1), code: "TIME_AHEAD", samples: 1 }];
  window.acknowledge(create(AckSchema, { committed: [makeId(1, "other"), makeId(2), makeId(0)], refused }));
  expect(entries.length).toBe(2);
  expect(counts.violations).toBe(3);
  expect(Object.fromEntries(counts.refused)).toEqual({ TIME_AHEAD: 1 });
});

test("an acknowledgement that comes after the stream it belongs to still counts, as do those of earlier processes", () => {
  const { put, window, counts, entries, byName } = setUp();
  put();
  put(10, 7);
  window.restart(0);
  expect(drain(window)).toEqual([1, 2]);
  window.restart(0);
  window.acknowledge(create(AckSchema, { committed: [makeId(1), { host: "h", epochUs: 7n, sequence: 2n }] }));
  expect(byName).toEqual([1, 2]);
  expect(entries).toEqual([]);
  expect(counts).toMatchObject({ sent: 2, resent: 2, acked: 4, violations: 0 });
});

const stepArbitrary = fc.oneof(
  fc.record({ step: fc.constant("put" as const), size: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ step: fc.constant("take" as const) }),
  fc.record({ step: fc.constant("begin" as const) }),
  fc.record({ step: fc.constant("commit" as const), sequence: fc.integer({ min: -1, max: 60 }) }),
  fc.record({ step: fc.constant("reject" as const), sequence: fc.integer({ min: -1, max: 60 }) }),
);

test("every sample is acknowledged, dropped or waiting, whatever happens in whatever order", () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 100 }), (steps) => {
      const { put, window, counts, entries } = setUp();
      for (const step of steps) {
        if (step.step === "put") put(step.size);
        else if (step.step === "take") window.takeNext();
        else if (step.step === "begin") window.restart(250);
        else if (step.step === "commit") window.acknowledge(commit(step.sequence));
        else
          window.acknowledge(
            create(AckSchema, { rejected: [{ id: makeId(step.sequence), code: "BATCH_MALFORMED", message: "" }] }),
          );
      }
      const dropped = [...counts.dropped.values()].reduce((sum, samples) => sum + samples, 0);
      expect(counts.acked + dropped + entries.length * 2).toBe(counts.recorded);
      // Once the collector is in order again, nothing stays.
      for (let round = 0; entries.length > 0 && round < 200; round++) {
        window.restart(0);
        window.acknowledge(commit(...drain(window)));
      }
      expect(entries.length).toBe(0);
    }),
  );
});
