import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kpis } from "../model/kpis.js";
import { alertCatalogue, describeKpiAlert, fillIn, milderThan, regressionAlerts } from "./catalogue.js";
import { nameGroup, planNotification, type ToldAlert, type ToldBefore } from "./groups.js";
import { findInhibitors } from "./inhibition.js";
import { linkRunbook, writeMessage, writeTitle } from "./message.js";
import { isSilenced, silenceMatchersSchema } from "./silence.js";

const makeAlert = (changes: Partial<ToldAlert> = {}): ToldAlert => ({
  id: "a1",
  name: "Agent down",
  severity: "critical",
  labels: { host: "h1" },
  summary: "No word from h1",
  description: "Look first whether the host itself is up.",
  runbook: "agent-down",
  value: 200,
  threshold: 180,
  sinceUs: 1_700_000_000e6,
  ...changes,
});

describe("the catalogue", () => {
  it("gives every alert a name of its own", () => {
    const titles = [...Object.values(alertCatalogue), ...Object.values(regressionAlerts)].map(({ title }) => title);
    const ofKpis = kpis.flatMap((kpi) => [describeKpiAlert(kpi, "warning").title, describeKpiAlert(kpi, "critical").title]);
    expect(new Set([...titles, ...ofKpis]).size).toBe(titles.length + ofKpis.length);
    for (const [worse, mild] of Object.entries(milderThan)) expect(titles).toEqual(expect.arrayContaining([worse, mild]));
  });

  it("fills in what its texts leave open, and nothing that comes with it", () => {
    expect(fillIn("{host} is {value}", (name) => `<${name} {host}>`)).toBe("<host {host}> is <value {host}>");
  });
});

describe("inhibition", () => {
  const disk = { name: "Disk filling", labels: { host: "h1", path: "/" } };
  const full = { name: "Disk nearly full", labels: { host: "h1", path: "/" } };
  const down = { name: "Agent down", labels: { host: "h1" } };
  const missed = { name: "Environment step time past its target", labels: { host: "h1", kpi: "k" } };
  const past = { name: "Environment step time past its alert threshold", labels: { host: "h1", kpi: "k" } };

  it("mutes the milder of two states of one thing, and of no other", () => {
    const find = findInhibitors([disk, full, missed, past]);
    expect([find(disk), find(full), find(missed), find(past)]).toEqual([full.name, undefined, past.name, undefined]);
    expect(find({ ...disk, labels: { host: "h1", path: "/data" } })).toBeUndefined();
    expect(find({ ...missed, labels: { host: "h2", kpi: "k" } })).toBeUndefined();
  });

  it("mutes what a silent host would say, and the hosts of a fleet that is silent as a whole", () => {
    const find = findInhibitors([disk, down]);
    expect([find(disk), find(down), find({ ...disk, labels: { host: "h2" } })]).toEqual(["Agent down", undefined, undefined]);
    const fleet = { name: "Fleet silent", labels: {} };
    const ofFleet = findInhibitors([fleet, down, disk]);
    expect([ofFleet(fleet), ofFleet(down), ofFleet(disk)]).toEqual([undefined, "Fleet silent", "Agent down"]);
  });
});

describe("a silence", () => {
  const silence = { matchers: { host: "gpu-*", alert: "Disk*" }, from_us: 10, until_us: 20 };

  it("holds for what all its globs match, from its begin to before its end", () => {
    const is = (name: string, host: string, nowUs: number) => isSilenced(silence, name, { host }, nowUs);
    expect([is("Disk filling", "gpu-7", 10), is("Disk filling", "gpu-7", 20), is("Disk filling", "gpu-7", 9)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([is("Disk filling", "cpu-7", 15), is("Agent down", "gpu-7", 15)]).toEqual([false, false]);
    expect(isSilenced({ ...silence, matchers: { path: "*" } }, "Disk filling", { host: "gpu-7" }, 15)).toBe(false);
  });

  it("of everything is none", () => {
    expect(silenceMatchersSchema.safeParse({}).success).toBe(false);
    expect(silenceMatchersSchema.safeParse({ "Host;": "x" }).success).toBe(false);
  });
});

describe("what is told of a group", () => {
  const pace = { waitS: 30, updateS: 300, repeatS: 3600 };
  const now = 1_700_000_000e6;
  const at = (seconds: number): number => now + seconds * 1e6;
  const plan = (
    firing: readonly ToldAlert[],
    resolved: readonly ToldAlert[],
    before: ToldBefore | undefined,
    nowUs: number,
    beganUs = now,
  ) => planNotification("g", firing, resolved, before, beganUs, pace, nowUs);
  const one = makeAlert();
  const two = makeAlert({ id: "a2", labels: { host: "h2" } });

  it("waits for others, is told once, and again when the time has come", () => {
    expect(plan([one], [], undefined, at(29))).toBeUndefined();
    expect(plan([one], [], undefined, at(30))).toMatchObject({ firing: [one], isReminder: false });
    const told = { sentUs: at(30), firing: ["a1"] };
    expect(plan([one], [], told, at(3629))).toBeUndefined();
    expect(plan([one], [], told, at(3630))).toMatchObject({ isReminder: true });
  });

  it("tells of changes now and then, and of the end at once", () => {
    const told = { sentUs: at(30), firing: ["a1"] };
    expect(plan([one, two], [], told, at(329), at(40))).toBeUndefined();
    expect(plan([one, two], [], told, at(330), at(40))).toMatchObject({ firing: [one, two] });
    expect(plan([], [one], told, at(31))).toMatchObject({ firing: [], resolved: [one] });
    expect(plan([two], [one], { sentUs: at(30), firing: ["a1", "a2"] }, at(40))).toBeUndefined();
  });

  it("does not speak of the end of what nobody was told of", () => {
    expect(plan([], [one], undefined, at(60))).toBeUndefined();
    expect(plan([], [one], { sentUs: now, firing: [] }, at(60))).toBeUndefined();
    expect(plan([one], [one], { sentUs: now, firing: ["a1"] }, at(60))).toBeUndefined();
  });

  it("is told however the clock is set", () => {
    expect(plan([one], [], { sentUs: at(1e6), firing: ["a1"] }, at(0))).toMatchObject({ isReminder: true });
    expect(plan([one], [], undefined, at(-1e6))).toBeDefined();
  });

  it("is never told twice within its repeat interval while nothing changes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 60 }), (steps) => {
        let before: ToldBefore | undefined;
        let nowUs = now;
        for (const seconds of steps) {
          nowUs += seconds * 1e6;
          const told = plan([one], [], before, nowUs);
          if (told === undefined) continue;
          if (before !== undefined) expect(nowUs - before.sentUs).toBeGreaterThanOrEqual(pace.repeatS * 1e6);
          before = { sentUs: nowUs, firing: told.firing.map(({ id }) => id) };
        }
      }),
    );
  });

  it("is of one name and class, on however many hosts", () => {
    expect(nameGroup(one)).toBe(nameGroup(two));
    expect(nameGroup({ name: "Slower than before", labels: { host: "h1", hw_class: "c1" } })).toBe("Slower than before · c1");
  });
});

describe("a message", () => {
  const links = { runbooks: "https://example.com/runbooks/" };
  const many = Array.from({ length: 300 }, (_, i) =>
    makeAlert({ id: `a${i}`, labels: { host: `h${i}` }, summary: `No word from h${i}` }),
  );

  it("says what, where, since when, and what to do", () => {
    const one = { group: "g", firing: [makeAlert()], resolved: [], isReminder: false };
    expect(writeTitle(one)).toBe("[FIRING] critical Agent down on h1");
    expect(writeMessage(one, links)).toBe(
      [
        "FIRING Agent down: No word from h1",
        "Look first whether the host itself is up.",
        "Since 2023-11-14 22:13:20 UTC",
        "",
        "Runbook: https://example.com/runbooks/agent-down.md",
        "Silence: fleetmark alert silence 'alert=Agent down' host=h1 --for 2h --reason '…'",
      ].join("\n"),
    );
    expect(linkRunbook(makeAlert({ runbook: "" }), links)).toBe("");
  });

  it("of three hundred hosts is one that can be read", () => {
    const told = { group: "g", firing: many, resolved: [], isReminder: true };
    expect(writeTitle(told)).toBe("[STILL FIRING] critical Agent down on 300 hosts (300 alerts)");
    const text = writeMessage(told, { runbooks: "" });
    expect(text).toContain("and 280 more, on 280 hosts: fleetmark alert list");
    expect(text.split("\n").length).toBeLessThan(100);
  });

  it("of an end says from when to when", () => {
    const over = makeAlert({ resolvedUs: 1_700_000_060e6 });
    const told = { group: "g", firing: [], resolved: [over], isReminder: false };
    expect(writeTitle(told)).toBe("[RESOLVED] critical Agent down on h1");
    expect(writeMessage(told, links)).toContain("Since 2023-11-14 22:13:20 UTC, until 2023-11-14 22:14:20 UTC");
  });
});
