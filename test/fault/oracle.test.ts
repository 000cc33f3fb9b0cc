import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalRecord } from "../load/journal.js";
import { makePoints, type Shape } from "../load/sample.js";
import { createOracle, type StoredSample, type Verdict } from "./oracle.js";

const seed = 7;
const shape: Shape = { groups: 2, fields: 3 };
const options = { seed, shape, memoryMs: 1000 };
/** 3 numbers twice, and a text. */
const samplesEach = 7;

function storeAll(host: string, times: readonly number[]): StoredSample[] {
  return times.flatMap((timeUs) =>
    makePoints(seed, host, shape, timeUs).flatMap(({ fields }, group) =>
      Object.entries(fields).map(([field, value]) => ({ host, group, field, timeUs, value })),
    ),
  );
}

const times = [1e15, 1e15 + 1, 1e15 + 2];
/** A host that produced three times, sent each as a batch, and was told that all are committed. */
const good: JournalRecord[] = [
  { k: "begin", at: 0 },
  ...times.flatMap((t, i): JournalRecord[] => [
    { k: "made", h: "h1", t, at: i * 10_000 },
    {
      k: "taken",
      h: "h1",
      e: 5,
      s: i + 1,
      p: [
        [t, 0],
        [t, 1],
      ],
    },
    { k: "acked", h: "h1", e: 5, s: i + 1, at: i * 10_000 + 500 },
  ]),
  { k: "end", at: 30_000 },
];

function judge(records: readonly JournalRecord[], stored: readonly StoredSample[]): Verdict {
  const oracle = createOracle([records], options);
  for (const sample of stored) oracle.see(sample);
  return oracle.judge();
}

const clean = { lost: 0, uncounted: 0, destroyed: 0, doubled: 0, changed: 0, strangers: 0, unspooled: 0, dropped: {} };

describe("the oracle", () => {
  it("finds nothing where nothing is wrong", () => {
    const verdict = judge(good, storeAll("h1", times));
    expect(verdict).toMatchObject({ ...clean, produced: 21, acked: 21, stored: 21, findings: [] });
  });

  it("finds every injected loss, double, change and stranger, and how many", () => {
    const indexes = fc.uniqueArray(fc.nat({ max: 20 }), { maxLength: 8 });
    fc.assert(
      fc.property(indexes, indexes, indexes, fc.nat({ max: 5 }), (lose, double, change, strange) => {
        const all = storeAll("h1", times);
        const kept = all.flatMap((sample, i): StoredSample[] => {
          if (lose.includes(i)) return [];
          const value = change.includes(i)
            ? typeof sample.value === "number"
              ? sample.value + 2 ** -20
              : `${sample.value}.`
            : sample.value;
          return double.includes(i) ? [{ ...sample, value }, sample] : [{ ...sample, value }];
        });
        const strangers = Array.from({ length: strange }, (_, i) => ({ ...all[i], timeUs: 99 + i }));
        const notLost = (list: readonly number[]): number => list.filter((i) => !lose.includes(i)).length;
        expect(judge(good, [...kept, ...strangers])).toMatchObject({
          lost: lose.length,
          doubled: notLost(double),
          changed: notLost(change),
          strangers: strange,
        });
      }),
    );
  });

  it.each([
    ["host", { host: "h2" }],
    ["group", { group: 2 }],
    ["group", { group: -1 }],
    ["field", { field: "f3" }],
    ["field", { field: "g0" }],
    ["text in a group without one", { field: "note", group: 0 }],
  ])("takes a sample of another %s for a stranger", (_, change) => {
    const all = storeAll("h1", times);
    expect(judge(good, [...all, { ...all[0], ...change }])).toMatchObject({ ...clean, strangers: 1 });
  });

  it("takes an acknowledgement of what was never sent for a stranger", () => {
    expect(judge([...good, { k: "acked", h: "h1", e: 5, s: 9, at: 0 }], storeAll("h1", times)).strangers).toBe(1);
  });

  describe("of what is missing and was not acknowledged", () => {
    const [first, second, third] = times;
    /** The last was produced when the process was killed, the second was sent, the first was produced long before. */
    const killed: JournalRecord[] = [
      { k: "begin", at: 0 },
      { k: "made", h: "h1", t: first, at: 1000 },
      { k: "made", h: "h1", t: second, at: 9900 },
      {
        k: "taken",
        h: "h1",
        e: 5,
        s: 1,
        p: [
          [second, 0],
          [second, 1],
        ],
      },
      { k: "made", h: "h1", t: third, at: 10_000 },
    ];

    it("excuses what a killed process had in memory only", () => {
      expect(judge(killed, storeAll("h1", [first, second]))).toMatchObject({ ...clean, unspooled: samplesEach });
    });

    it("excuses nothing that had been in a spool", () => {
      expect(judge(killed, storeAll("h1", [first, third]))).toMatchObject({ ...clean, uncounted: samplesEach });
    });

    it("excuses nothing that was produced long before the kill", () => {
      expect(judge(killed, storeAll("h1", [second, third]))).toMatchObject({ ...clean, uncounted: samplesEach });
    });

    it("excuses nothing of a process that ended by itself", () => {
      const ended: JournalRecord[] = [...killed, { k: "end", at: 10_100 }];
      expect(judge(ended, storeAll("h1", [first, second]))).toMatchObject({ ...clean, uncounted: samplesEach });
    });

    it("takes what the agent counts as dropped, and no more", () => {
      const counted: JournalRecord[] = [...killed, { k: "counts", h: "h1", dropped: { SPOOL_FULL: 4 }, quarantined: 0 }];
      expect(judge(counted, storeAll("h1", [second, third]))).toMatchObject({
        ...clean,
        dropped: { SPOOL_FULL: 4 },
        uncounted: samplesEach - 4,
      });
      const afresh: JournalRecord[] = [
        ...counted,
        { k: "begin", at: 20_000 },
        { k: "counts", h: "h1", dropped: { SPOOL_FULL: 7 }, quarantined: 0 },
      ];
      expect(judge(afresh, storeAll("h1", [second, third]))).toMatchObject({ ...clean, dropped: { SPOOL_FULL: samplesEach } });
    });

    it("takes a time that was given again for the same sample only if nothing of it had outlived the process", () => {
      const again: JournalRecord[] = [
        ...killed,
        { k: "begin", at: 20_000 },
        { k: "made", h: "h1", t: third, at: 20_100 },
        { k: "end", at: 30_000 },
      ];
      expect(judge(again, storeAll("h1", times))).toMatchObject({ ...clean, findings: [] });
      expect(judge(again, storeAll("h1", [first, second]))).toMatchObject({ ...clean, uncounted: samplesEach });
      const spooled = again.map(
        (record): JournalRecord => (record.k === "made" && record.at === 20_100 ? { ...record, t: second } : record),
      );
      expect(judge(spooled, storeAll("h1", times)).changed).toBeGreaterThan(0);
    });

    it("takes another host's drops for nothing", () => {
      const counted: JournalRecord[] = [...killed, { k: "counts", h: "h2", dropped: { SPOOL_FULL: 9 }, quarantined: 0 }];
      expect(judge(counted, storeAll("h1", [second, third])).uncounted).toBe(samplesEach);
    });
  });

  it("takes what a collector refused or rejected by name, and keeps it to an acknowledgement before", () => {
    const refused: JournalRecord[] = [...good, { k: "refused", h: "h1", e: 5, s: 1, code: "TIME_AHEAD", n: 5 }];
    expect(judge(refused, storeAll("h1", times.slice(1)))).toMatchObject({ ...clean, dropped: { TIME_AHEAD: 5 }, lost: 2 });
    const rejected = good.map((record): JournalRecord => {
      return record.k === "acked" && record.s === 1 ? { ...record, k: "rejected", code: "BATCH_FOREIGN" } : record;
    });
    expect(judge(rejected, storeAll("h1", times.slice(1)))).toMatchObject({ ...clean, dropped: { BATCH_FOREIGN: 7 } });
    const both: JournalRecord[] = [...good, { k: "rejected", h: "h1", e: 5, s: 1, code: "BATCH_FOREIGN" }];
    expect(judge(both, storeAll("h1", times.slice(1))).lost).toBe(7);
  });

  it("excuses what was taken away from the store after it was acknowledged, and nothing that came later", () => {
    const deed: JournalRecord = { k: "destroyed", from: 0, at: 500 };
    const stored = storeAll("h1", times.slice(2));
    expect(judge([...good, deed], stored)).toMatchObject({ ...clean, destroyed: samplesEach, lost: samplesEach });
    expect(judge([...good, { ...deed, from: 600, at: 10_600 }], stored)).toMatchObject({ ...clean, destroyed: 7, lost: 7 });
  });

  it("excuses what a host that was set back made since, unless it was acknowledged", () => {
    const [first, second, third] = times;
    const setBack: JournalRecord[] = [
      ...good.slice(0, -1),
      { k: "made", h: "h1", t: third + 1, at: 40_000 },
      { k: "made", h: "h1", t: third + 2, at: 50_000 },
      { k: "set-back", from: 45_000, at: 50_100 },
      { k: "begin", at: 60_000 },
      { k: "end", at: 60_000 },
    ];
    expect(judge(setBack, storeAll("h1", times))).toMatchObject({ ...clean, uncounted: samplesEach, destroyed: samplesEach });
    expect(judge(setBack, storeAll("h1", [first, second, third + 1]))).toMatchObject({ ...clean, lost: 7, destroyed: 7 });
  });

  it("waits for a batch that its agent gives another name", () => {
    const reused: JournalRecord[] = [...good.slice(0, 3), { k: "rejected", h: "h1", e: 5, s: 1, code: "BATCH_ID_REUSED" }];
    expect(judge([...reused, { k: "end", at: 1 }], []).uncounted).toBe(samplesEach);
  });
});
