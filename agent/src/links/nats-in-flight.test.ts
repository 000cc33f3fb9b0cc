import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EncodedBatch } from "../batch/encoded-batch.js";
import {
  addInFlight,
  type BatchInFlight,
  createInFlight,
  type InFlight,
  isAnySilent,
  judgeSilence,
  markAllDue,
  markDue,
  markStored,
  nameMessage,
  pruneInFlight,
  removeInFlight,
  takeDue,
} from "./nats-in-flight.js";

const patience = { silence: 30, stuck: 600 };
const consumer = { created: "monday", ackFloor: 0, delivered: 0, ackPending: 100 };

function makeBatch(sequence: number): EncodedBatch {
  return { id: { host: "h 1", epochUs: 5, sequence }, priority: "telemetry", bytes: new Uint8Array(1), samples: 1 };
}

/** Brings batch `sequence` into the stream under the same sequence, at time 0. */
function put(inFlight: InFlight, sequence: number): BatchInFlight {
  addInFlight(inFlight, makeBatch(sequence));
  const sent = takeDue(inFlight) as BatchInFlight;
  markStored(sent, sequence, 0);
  return sent;
}

describe("batches on their way through the stream", () => {
  it("are published in order, and again under the same name when that failed", () => {
    const inFlight = createInFlight(patience);
    addInFlight(inFlight, makeBatch(1));
    addInFlight(inFlight, makeBatch(2));
    const first = takeDue(inFlight) as BatchInFlight;
    expect(nameMessage(first)).toMatch(/^h%201\/5\/1\/[0-9a-f]+$/);
    expect(takeDue(inFlight)?.batch.id.sequence).toBe(2);
    expect(takeDue(inFlight)).toBeUndefined();
    markDue(first);
    expect(nameMessage(takeDue(inFlight) as BatchInFlight)).toMatch(/^h%201\/5\/1\/[0-9a-f]+$/);
    markAllDue(inFlight);
    expect([takeDue(inFlight), takeDue(inFlight)].map((each) => each?.batch.id.sequence)).toEqual([1, 2]);
  });

  it("are sent anew, under another name, when the collectors are done with them and no word came in time", () => {
    const inFlight = createInFlight(patience);
    const sent = put(inFlight, 7);
    expect(isAnySilent(inFlight, 29)).toBe(false);
    expect(isAnySilent(inFlight, 30)).toBe(true);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 7, delivered: 7 }, 29)).toEqual([]);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 7, delivered: 7 }, 30)).toEqual([sent]);
    expect(nameMessage(takeDue(inFlight) as BatchInFlight)).toMatch(/^h%201\/5\/7\/[0-9a-f]+#2$/);
    // The second time takes twice as long.
    markStored(sent, 8, 100);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 8, delivered: 8 }, 159)).toEqual([]);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 8, delivered: 8 }, 160)).toEqual([sent]);
  });

  it("stay where they are while they wait for a collector", () => {
    const inFlight = createInFlight(patience);
    put(inFlight, 7);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 6, delivered: 6 }, 1e9)).toEqual([]);
    expect(judgeSilence(inFlight, undefined, 1e9)).toEqual([]);
  });

  it("are sent anew when a collector got them and nothing came of it for very long", () => {
    const inFlight = createInFlight(patience);
    put(inFlight, 7);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 6, delivered: 7 }, 599)).toEqual([]);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 6, delivered: 7 }, 600)).toHaveLength(1);
  });

  it("are sent anew at once when the connection was gone, if the collectors are done with them", () => {
    const inFlight = createInFlight(patience);
    put(inFlight, 7);
    put(inFlight, 8);
    expect(judgeSilence(inFlight, { ...consumer, ackFloor: 7, delivered: 8 }, 1, true).map(({ sequence }) => sequence)).toEqual([
      7,
    ]);
  });

  it("are sent anew when they are more than all that collectors have in hand", () => {
    const inFlight = createInFlight(patience);
    for (const sequence of [7, 8, 9]) put(inFlight, sequence);
    const given = { ...consumer, ackFloor: 0, delivered: 8 };
    expect(judgeSilence(inFlight, { ...given, ackPending: 2 }, 30)).toEqual([]);
    expect(judgeSilence(inFlight, { ...given, ackPending: 1 }, 29)).toEqual([]);
    expect(judgeSilence(inFlight, { ...given, ackPending: 1 }, 30).map(({ sequence }) => sequence)).toEqual([7, 8]);
  });

  it("are sent anew when the stream is another, or when there was none", () => {
    const inFlight = createInFlight(patience);
    put(inFlight, 7);
    expect(judgeSilence(inFlight, consumer, 1)).toEqual([]);
    expect(judgeSilence(inFlight, { ...consumer, created: "tuesday" }, 1)).toHaveLength(1);
    expect(judgeSilence(inFlight, { ...consumer, created: "tuesday" }, 1)).toEqual([]);
    const others = createInFlight(patience);
    expect(judgeSilence(others, undefined, 1)).toEqual([]);
    put(others, 1);
    expect(judgeSilence(others, consumer, 2)).toHaveLength(1);
  });

  it("are forgotten when they are acknowledged, in whatever state", () => {
    const inFlight = createInFlight(patience);
    const sent = put(inFlight, 7);
    removeInFlight(inFlight, sent.key);
    markStored(sent, 8, 1);
    markDue(sent);
    expect([inFlight.batches.size, takeDue(inFlight), isAnySilent(inFlight, 1e9)]).toEqual([0, undefined, false]);
  });

  it("are forgotten when the spool has given them up", () => {
    const inFlight = createInFlight(patience);
    put(inFlight, 7);
    addInFlight(inFlight, makeBatch(8));
    pruneInFlight(inFlight, ({ id }) => id.sequence === 8);
    expect([inFlight.batches.size, takeDue(inFlight)?.batch.id.sequence]).toEqual([1, 8]);
  });

  it("all arrive, whatever the stream forgets and however many acknowledgements are lost", () => {
    const step = fc.record({ kind: fc.constantFrom("publish", "refuse", "commit", "lose", "reset", "look"), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const inFlight = createInFlight(patience);
        const stored = new Set<number>();
        let stream: { sequence: number; sent: BatchInFlight; name: string }[] = [];
        let names = new Map<string, number>();
        let [last, floor, created, now] = [0, 0, 1, 0];
        for (let i = 1; i <= 20; i++) addInFlight(inFlight, makeBatch(i));

        const publish = (): void => {
          const sent = takeDue(inFlight);
          if (sent === undefined) return;
          const name = nameMessage(sent);
          const known = names.get(name);
          if (known === undefined) stream.push({ sequence: ++last, sent, name });
          names.set(name, known ?? last);
          markStored(sent, known ?? last, now);
        };
        const consume = (heard: boolean): void => {
          const message = stream.shift();
          if (message === undefined) return;
          floor = message.sequence;
          stored.add(message.sent.batch.id.sequence);
          if (heard) removeInFlight(inFlight, message.sent.key);
        };
        const look = (): void => {
          now += 1000;
          judgeSilence(inFlight, { created: String(created), ackFloor: floor, delivered: floor, ackPending: 0 }, now);
        };
        judgeSilence(inFlight, { created: String(created), ackFloor: 0, delivered: 0, ackPending: 0 }, 0);
        for (const { kind } of steps) {
          if (kind === "publish") publish();
          else if (kind === "commit" || kind === "lose") consume(kind === "commit");
          else if (kind === "look") look();
          else if (kind === "refuse") {
            const sent = takeDue(inFlight);
            if (sent !== undefined) markDue(sent);
          } else {
            look();
            [stream, names, last, floor] = [[], new Map(), 0, 0];
            created++;
          }
        }
        // From here on all goes well.
        for (let round = 0; round < 5 && inFlight.batches.size > 0; round++) {
          for (let i = 0; i < 40; i++) publish();
          for (let i = 0; i < 40; i++) consume(true);
          look();
        }
        expect([inFlight.batches.size, stored.size]).toEqual([0, 20]);
      }),
    );
  });
});
