import type { ToldAlert } from "@fleetmark/shared/alerting/groups";
import type { NotificationRecord } from "@fleetmark/shared/records/alert";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { createDelivery, type NotificationLog } from "./delivery.js";
import type { MessageSink, StateSink } from "./sinks/sink.js";

const logger = pino({ level: "silent" });
const pace = { waitS: 30, updateS: 300, repeatS: 3600 };
const startUs = 1_700_000_000e6;

const makeAlert = (id: string, changes: Partial<ToldAlert> = {}): ToldAlert => ({
  id,
  name: "Agent down",
  severity: "critical",
  labels: { host: id },
  summary: `No word from ${id}`,
  description: "",
  runbook: "",
  value: 1,
  threshold: 0,
  sinceUs: startUs,
  ...changes,
});

const stand = (firing: readonly ToldAlert[], resolved: readonly ToldAlert[] = []) => ({
  all: firing,
  firing,
  resolved,
  firedUs: new Map(firing.map(({ id }) => [id, startUs])),
});

/** A log as the store keeps it, which several collectors share; it may be out of reach. */
function createLog() {
  const records: NotificationRecord[] = [];
  const state = { isGone: false };
  const open = (by: string, turnS: number): NotificationLog => ({
    read: async (sink) => {
      if (state.isGone) throw new Error("the store is gone");
      const latest = new Map(records.filter((each) => each.sink === sink).map((record) => [record.group, record]));
      return [...latest.values()];
    },
    write: (record) => void (state.isGone || records.push({ ...record, by })),
    waitS: async () => turnS,
  });
  return { records, state, open };
}

function createSink(severity: "warning" | "critical" = "warning") {
  const sent: string[] = [];
  const mood = { fails: false, hangs: false };
  const sink: MessageSink = {
    kind: "messages",
    name: "chat",
    place: "somewhere",
    severity,
    send: async ({ firing, resolved }) => {
      if (mood.hangs) await new Promise(() => {});
      if (mood.fails) throw new Error("no");
      sent.push(`+${firing.map(({ id }) => id).join("")} -${resolved.map(({ id }) => id).join("")}`);
    },
  };
  return { sink, sent, mood };
}

describe("a way for messages", () => {
  it("tells what fires once, what changes, and what is over", async () => {
    const { sink, sent } = createSink();
    const delivery = createDelivery(sink, { log: createLog().open("c1", 0), logger, pace });
    const [a, b] = [makeAlert("a"), makeAlert("b")];
    for (let second = 0; second <= 900; second += 10) await delivery.tell(stand([a]), startUs + second * 1e6);
    expect(sent).toEqual(["+a -"]);
    await delivery.tell(stand([a, b]), startUs + 910e6);
    await delivery.tell(stand([b], [{ ...a, resolvedUs: startUs }]), startUs + 1300e6);
    await delivery.tell(stand([], [a, b]), startUs + 1310e6);
    expect(sent).toEqual(["+a -", "+ab -", "+b -a", "+ -b"]);
  });

  it("that refuses is tried again, later and later, with what is so by then", async () => {
    const { sink, sent, mood } = createSink();
    const delivery = createDelivery(sink, { log: createLog().open("c1", 0), logger, pace });
    mood.fails = true;
    let tries = 0;
    const { send } = sink;
    const countTry: typeof send = (told) => {
      tries++;
      return send(told);
    };
    Object.assign(sink, { send: countTry });
    for (let second = 60; second <= 86_400; second += 10) await delivery.tell(stand([makeAlert("a")]), startUs + second * 1e6);
    expect(tries).toBeGreaterThan(100);
    expect(tries).toBeLessThan(350);
    mood.fails = false;
    await delivery.tell(stand([makeAlert("b")]), startUs + 87_000e6);
    expect(sent).toEqual(["+b -"]);
  });

  it("that refuses one group is told of the others", async () => {
    const { sink, sent } = createSink();
    const { send } = sink;
    Object.assign(sink, {
      send: (told: Parameters<typeof send>[0]) => (told.group === "Agent down" ? Promise.reject(new Error("no")) : send(told)),
    });
    const delivery = createDelivery(sink, { log: createLog().open("c1", 0), logger, pace });
    await delivery.tell(stand([makeAlert("a"), makeAlert("d", { name: "Disk filling" })]), startUs + 60e6);
    expect(sent).toEqual(["+d -"]);
  });

  it("hears of what is severe enough alone", async () => {
    const { sink, sent } = createSink("critical");
    const delivery = createDelivery(sink, { log: createLog().open("c1", 0), logger, pace });
    await delivery.tell(stand([makeAlert("a", { severity: "warning" }), makeAlert("b", { name: "Other" })]), startUs + 60e6);
    expect(sent).toEqual(["+b -"]);
  });

  it("is told of 500 hosts in one message", async () => {
    const { sink, sent } = createSink();
    const delivery = createDelivery(sink, { log: createLog().open("c1", 0), logger, pace });
    const rack = Array.from({ length: 500 }, (_, i) => makeAlert(`h${i}`));
    for (let second = 0; second <= 600; second += 10)
      await delivery.tell(stand(rack.slice(0, 50 * second)), startUs + second * 1e6);
    expect(sent).toHaveLength(1);
  });
});

describe("several collectors", () => {
  const live = async (deliveries: readonly ReturnType<typeof createDelivery>[], seconds: number) => {
    for (let second = 0; second <= seconds; second += 10) {
      for (const delivery of deliveries) await delivery.tell(stand([makeAlert("a")]), startUs + second * 1e6);
    }
  };

  it("tell once, whoever is first", async () => {
    const log = createLog();
    const [one, two] = [createSink(), createSink()];
    const deliveries = [one, two].map(({ sink }, i) => createDelivery(sink, { log: log.open(`c${i}`, 20 * i), logger, pace }));
    await live(deliveries, 600);
    expect([...one.sent, ...two.sent]).toEqual(["+a -"]);
    expect(log.records).toMatchObject([{ by: "c0", sink: "chat", group: "Agent down" }]);
  });

  it("never stay silent together: the next in turn tells where the first can't", async () => {
    const log = createLog();
    const [one, two] = [createSink(), createSink()];
    one.mood.hangs = true;
    const deliveries = [one, two].map(({ sink }, i) => createDelivery(sink, { log: log.open(`c${i}`, 20 * i), logger, pace }));
    for (let second = 0; second <= 600; second += 10) {
      for (const delivery of deliveries) void delivery.tell(stand([makeAlert("a")]), startUs + second * 1e6);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect([one.sent, two.sent]).toEqual([[], ["+a -"]]);
  });

  it("tell twice rather than never while the store is out of reach", async () => {
    const log = createLog();
    log.state.isGone = true;
    const [one, two] = [createSink(), createSink()];
    const deliveries = [one, two].map(({ sink }, i) => createDelivery(sink, { log: log.open(`c${i}`, 20 * i), logger, pace }));
    await live(deliveries, 600);
    expect([one.sent, two.sent]).toEqual([["+a -"], ["+a -"]]);
  });

  it.each(["before it sent", "after it sent, before that was kept", "after that was kept"])(
    "one that is killed %s keeps nobody from hearing, and is not told of twice but for that",
    async (when) => {
      const log = createLog();
      const { sink, sent } = createSink();
      const first = createDelivery(sink, {
        log: { ...log.open("c0", 0), ...(when.startsWith("after it sent") ? { write: () => {} } : {}) },
        logger,
        pace,
      });
      if (when !== "before it sent") await first.tell(stand([makeAlert("a")]), startUs + 60e6);
      const next = createDelivery(sink, { log: log.open("c0", 0), logger, pace });
      for (let second = 70; second <= 600; second += 10) await next.tell(stand([makeAlert("a")]), startUs + second * 1e6);
      expect(sent).toEqual(when.startsWith("after it sent") ? ["+a -", "+a -"] : ["+a -"]);
    },
  );
});

describe("a way that keeps states", () => {
  it("is told every minute, at once of changes, and of what was silenced after it was told of", async () => {
    const synced: string[] = [];
    const sink: StateSink = {
      kind: "states",
      name: "alertmanager",
      place: "there",
      severity: "warning",
      sync: async (firing, resolved) =>
        void synced.push(`+${firing.map(({ id }) => id).join("")} -${resolved.map(({ id }) => id).join("")}`),
    };
    const delivery = createDelivery(sink, { log: createLog().open("c", 0), logger, pace });
    const [a, b] = [makeAlert("a"), makeAlert("b")];
    for (let second = 0; second < 120; second += 10) await delivery.tell(stand([a]), startUs + second * 1e6);
    expect(synced).toEqual(["+a -", "+a -"]);
    await delivery.tell({ ...stand([b]), all: [a, b] }, startUs + 121e6);
    await delivery.tell({ ...stand([]), all: [makeAlert("c")], resolved: [a, b] }, startUs + 125e6);
    expect(synced.slice(2)).toEqual(["+ab -", "+ -ab"]);
  });
});
