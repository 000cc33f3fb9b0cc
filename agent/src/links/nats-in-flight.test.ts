import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Parcel } from "../spool/encoded-batch.js";
import { createTransits, nameMessage, type Transit, type Transits } from "./nats-in-flight.js";

const patience = { silence: 30, stuck: 600 };
const consumer = { created: "monday", ackFloor: 0, delivered: 0, ackPending: 100 };

function parcel(sequence: number): Parcel {
  return { id: { host: "h 1", epochUs: 5, sequence }, priority: "telemetry", bytes: new Uint8Array(1), samples: 1 };
}

/** Brings parcel `sequence` into the stream under the same sequence, at time 0. */
function put(transits: Transits, sequence: number): Transit {
  transits.add(parcel(sequence));
  const transit = transits.takeDue() as Transit;
  transits.store(transit, sequence, 0);
  return transit;
}

describe("parcels on their way through the stream", () => {
  it("are published in order, and again under the same name when that failed", () => {
    const transits = createTransits(patience);
    transits.add(parcel(1));
    transits.add(parcel(2));
    const first = transits.takeDue() as Transit;
    expect(nameMessage(first)).toBe("h%201/5/1");
    expect(transits.takeDue()?.parcel.id.sequence).toBe(2);
    expect(transits.takeDue()).toBeUndefined();
    transits.fail(first);
    expect(nameMessage(transits.takeDue() as Transit)).toBe("h%201/5/1");
    transits.failAll();
    expect([transits.takeDue(), transits.takeDue()].map((each) => each?.parcel.id.sequence)).toEqual([1, 2]);
  });

  it("are sent anew, under another name, when the collectors are done with them and no word came in time", () => {
    const transits = createTransits(patience);
    const transit = put(transits, 7);
    expect(transits.isSilent(29)).toBe(false);
    expect(transits.isSilent(30)).toBe(true);
    expect(transits.judge({ ...consumer, ackFloor: 7, delivered: 7 }, 29)).toEqual([]);
    expect(transits.judge({ ...consumer, ackFloor: 7, delivered: 7 }, 30)).toEqual([transit]);
    expect(nameMessage(transits.takeDue() as Transit)).toBe("h%201/5/7#2");
    // The second time takes twice as long.
    transits.store(transit, 8, 100);
    expect(transits.judge({ ...consumer, ackFloor: 8, delivered: 8 }, 159)).toEqual([]);
    expect(transits.judge({ ...consumer, ackFloor: 8, delivered: 8 }, 160)).toEqual([transit]);
  });

  it("stay where they are while they wait for a collector", () => {
    const transits = createTransits(patience);
    put(transits, 7);
    expect(transits.judge({ ...consumer, ackFloor: 6, delivered: 6 }, 1e9)).toEqual([]);
    expect(transits.judge(undefined, 1e9)).toEqual([]);
  });

  it("are sent anew when a collector got them and nothing came of it for very long", () => {
    const transits = createTransits(patience);
    put(transits, 7);
    expect(transits.judge({ ...consumer, ackFloor: 6, delivered: 7 }, 599)).toEqual([]);
    expect(transits.judge({ ...consumer, ackFloor: 6, delivered: 7 }, 600)).toHaveLength(1);
  });

  it("are sent anew at once when the connection was gone, if the collectors are done with them", () => {
    const transits = createTransits(patience);
    put(transits, 7);
    put(transits, 8);
    expect(transits.judge({ ...consumer, ackFloor: 7, delivered: 8 }, 1, true).map(({ sequence }) => sequence)).toEqual([7]);
  });

  it("are sent anew when they are more than all that collectors have in hand", () => {
    const transits = createTransits(patience);
    for (const sequence of [7, 8, 9]) put(transits, sequence);
    const given = { ...consumer, ackFloor: 0, delivered: 8 };
    expect(transits.judge({ ...given, ackPending: 2 }, 30)).toEqual([]);
    expect(transits.judge({ ...given, ackPending: 1 }, 29)).toEqual([]);
    expect(transits.judge({ ...given, ackPending: 1 }, 30).map(({ sequence }) => sequence)).toEqual([7, 8]);
  });

  it("are sent anew when the stream is another, or when there was none", () => {
    const transits = createTransits(patience);
    put(transits, 7);
    expect(transits.judge(consumer, 1)).toEqual([]);
    expect(transits.judge({ ...consumer, created: "tuesday" }, 1)).toHaveLength(1);
    expect(transits.judge({ ...consumer, created: "tuesday" }, 1)).toEqual([]);
    const others = createTransits(patience);
    expect(others.judge(undefined, 1)).toEqual([]);
    put(others, 1);
    expect(others.judge(consumer, 2)).toHaveLength(1);
  });

  it("are forgotten when they are settled, in whatever state", () => {
    const transits = createTransits(patience);
    const transit = put(transits, 7);
    transits.settle(transit.key);
    transits.store(transit, 8, 1);
    transits.fail(transit);
    expect([transits.size, transits.takeDue(), transits.isSilent(1e9)]).toEqual([0, undefined, false]);
  });

  it("are forgotten when the spool has given them up", () => {
    const transits = createTransits(patience);
    put(transits, 7);
    transits.add(parcel(8));
    transits.prune(({ id }) => id.sequence === 8);
    expect([transits.size, transits.takeDue()?.parcel.id.sequence]).toEqual([1, 8]);
  });

  it("all arrive, whatever the stream forgets and however many acknowledgements are lost", () => {
    const step = fc.record({ kind: fc.constantFrom("publish", "refuse", "commit", "lose", "reset", "look"), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const transits = createTransits(patience);
        const stored = new Set<number>();
        let stream: { sequence: number; transit: Transit; name: string }[] = [];
        let names = new Map<string, number>();
        let [last, floor, created, now] = [0, 0, 1, 0];
        for (let i = 1; i <= 20; i++) transits.add(parcel(i));

        const publish = (): void => {
          const transit = transits.takeDue();
          if (transit === undefined) return;
          const name = nameMessage(transit);
          const known = names.get(name);
          if (known === undefined) stream.push({ sequence: ++last, transit, name });
          names.set(name, known ?? last);
          transits.store(transit, known ?? last, now);
        };
        const consume = (heard: boolean): void => {
          const message = stream.shift();
          if (message === undefined) return;
          floor = message.sequence;
          stored.add(message.transit.parcel.id.sequence);
          if (heard) transits.settle(message.transit.key);
        };
        const look = (): void => {
          now += 1000;
          transits.judge({ created: String(created), ackFloor: floor, delivered: floor, ackPending: 0 }, now);
        };
        transits.judge({ created: String(created), ackFloor: 0, delivered: 0, ackPending: 0 }, 0);
        for (const { kind } of steps) {
          if (kind === "publish") publish();
          else if (kind === "commit" || kind === "lose") consume(kind === "commit");
          else if (kind === "look") look();
          else if (kind === "refuse") {
            const transit = transits.takeDue();
            if (transit !== undefined) transits.fail(transit);
          } else {
            look();
            [stream, names, last, floor] = [[], new Map(), 0, 0];
            created++;
          }
        }
        // From here on all goes well.
        for (let round = 0; round < 5 && transits.size > 0; round++) {
          for (let i = 0; i < 40; i++) publish();
          for (let i = 0; i < 40; i++) consume(true);
          look();
        }
        expect([transits.size, stored.size]).toEqual([0, 20]);
      }),
    );
  });
});
