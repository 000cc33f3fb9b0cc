import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeRun, makeSkipped } from "../../../shared/test/records.js";
import {
  chooseNext,
  countStates,
  createCampaignHosts,
  endAll,
  goingOn,
  isOver,
  noteAsked,
  noteAttached,
  noteOutcome,
  noteRun,
  noteSkipped,
} from "./campaign-state.js";

const names = Array.from({ length: 8 }, (_, i) => `h${i}`);

describe("the hosts of a campaign", () => {
  it("are asked one after the other where they are to be apart in time", () => {
    const hosts = createCampaignHosts(names, 0);
    const limits = { atMost: undefined, staggerS: 30, ttlS: 60 };
    const asked: number[] = [];
    for (let s = 0; s < 300; s++) {
      for (const host of chooseNext(hosts, limits, s * 1e6)) {
        noteAsked(hosts, host, host.host, s * 1e6);
        asked.push(s);
      }
    }
    expect(asked).toEqual([0, 30, 60, 90, 120, 150, 180, 210]);
  });

  it("that gave way leave their place to others, and come to their end later", () => {
    const hosts = createCampaignHosts(names, 0);
    const limits = { atMost: 1, staggerS: 0, ttlS: 60 };
    const [first] = chooseNext(hosts, limits, 0);
    noteAsked(hosts, first, "c0", 0);
    noteOutcome(hosts, "c0", { done: true, result: { run: "r0" } }, 1);
    expect(chooseNext(hosts, limits, 2)).toEqual([]);
    noteRun(hosts, makeRun({ command: "c0", run: "r0", state: "yielded", reason: "a job" }), 3);
    expect(first).toMatchObject({ state: "yielded", reason: "a job" });
    expect(chooseNext(hosts, limits, 4)).toHaveLength(1);
    noteRun(hosts, makeRun({ command: "c0", run: "r1", state: "finished", continues: "r0" }), 5);
    expect(first).toMatchObject({ state: "finished", run: "r1", reason: "" });
    // An end is an end, whatever is heard later.
    noteSkipped(hosts, makeSkipped({ command: "c0" }), 6);
    endAll(hosts, "cancelled", "called off", 7);
    expect(countStates(hosts)).toEqual({ finished: 1, cancelled: 7 });
    expect(isOver(hosts)).toBe(true);
  });

  it("are not asked while they are away, and keep their places for as long as they may come back", () => {
    const hosts = createCampaignHosts(["here", "gone"], 0);
    const limits = { atMost: 1, staggerS: 0, ttlS: 60 };
    const look = (s: number, attached: readonly string[]): string[] => {
      noteAttached(hosts, limits, (host) => attached.includes(host), s * 1e6);
      return chooseNext(hosts, limits, s * 1e6).map(({ host }) => host);
    };
    expect(look(0, ["here"])).toEqual(["here"]);
    const first = hosts.byHost.get("here");
    if (first !== undefined) noteAsked(hosts, first, "c1", 0);
    noteOutcome(hosts, "c1", { done: true, result: { run: "r1" } }, 1);
    // A collector that has just been started sees nobody: that is no reason to ask them all.
    expect([look(10, []), look(30, ["gone"]), look(69, ["gone"])]).toEqual([[], [], []]);
    expect(look(70, ["gone"])).toEqual(["gone"]);
    expect([look(80, []), look(140, [])]).toEqual([[], []]);
    expect(countStates(hosts)).toEqual({ taken: 1, away: 1 });
  });

  it("never hold more places than there are, and each comes to one end, whatever is heard in whatever order", () => {
    const event = fc.record({
      host: fc.nat(names.length - 1),
      kind: fc.constantFrom("taken", "refused", "late", "finished", "yielded", "interrupted", "skipped", "next"),
      away: fc.nat(names.length - 1),
    });
    const property = fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 4 }), (events, atMost) => {
      const hosts = createCampaignHosts(names, 0);
      const ends = new Map<string, string>();
      for (const [i, { host, kind, away }] of events.entries()) {
        const id = `c${names[host]}`;
        const isHere = (name: string): boolean => name !== names[away];
        if (kind === "next") {
          const limits = { atMost, staggerS: 0, ttlS: 60 };
          noteAttached(hosts, limits, isHere, i);
          for (const each of chooseNext(hosts, limits, i)) {
            expect(isHere(each.host)).toBe(true);
            noteAsked(hosts, each, `c${each.host}`, i);
          }
          const atWork = [...hosts.byHost.values()].filter(({ state }) => state === "asked" || state === "taken");
          expect(atWork.length).toBeLessThanOrEqual(atMost);
        } else if (kind === "taken") noteOutcome(hosts, id, { done: true, result: { run: `r${i}` } }, i);
        else if (kind === "refused") noteOutcome(hosts, id, { done: false, code: "COMMAND_FORBIDDEN", message: "no" }, i);
        else if (kind === "late") noteOutcome(hosts, id, { done: false, code: "COMMAND_TIMED_OUT", message: "late" }, i);
        else if (kind === "skipped") noteSkipped(hosts, makeSkipped({ command: id }), i);
        else noteRun(hosts, makeRun({ command: id, state: kind }), i);
        for (const each of hosts.byHost.values()) {
          const end = ends.get(each.host);
          if (end !== undefined) expect(each.state).toBe(end);
          if (!goingOn.has(each.state)) ends.set(each.host, each.state);
        }
      }
      const counts = Object.values(countStates(hosts)).reduce((sum, count) => sum + count, 0);
      expect(counts).toBe(names.length);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
