import { FleetmarkError } from "@fleetmark/shared/errors";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { CommandOutcome, CommandRequest } from "../control/command.js";
import { createConfirmations } from "./confirmations.js";

const nowUs = 1_700_000_000e6;
const makeVerdict = (changes: Partial<VerdictRecord> = {}): VerdictRecord => ({
  ...{ host: "h1", hw_class: "c1", suite: "quick", category: "rl", benchmark: "b", runtime: "js", device: "cpu", params: "" },
  ...{ time_us: nowUs, run: "r1", name: "b js/cpu", verdict: "regressed", severity: "medium", baseline: "rolling" },
  ...{ baseline_results: 20, before: 1e-3, after: 1.15e-3, change: 15, unit: "s", since_us: nowUs, cause: "unknown", why: "" },
  ...changes,
});

function setUp(answer: () => Promise<CommandOutcome> = async () => ({ done: true, result: {} }), isShared = false) {
  const asked: [string, CommandRequest][] = [];
  const send = (host: string, request: CommandRequest) => {
    asked.push([host, request]);
    return answer();
  };
  const logger = pino({ level: "silent" });
  return { asked, confirmations: createConfirmations({ send, startedUs: nowUs - 1e6, isShared, logger }) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a regression", () => {
  it("is measured again once, with the others of its run, and confirmed by the next verdict", async () => {
    const { asked, confirmations } = setUp();
    const other = makeVerdict({ name: "other js/cpu" });
    for (let i = 0; i < 3; i++) {
      expect(confirmations.find("b", makeVerdict(), nowUs)).toBeUndefined();
      expect(confirmations.find("o", other, nowUs)).toBeUndefined();
      confirmations.ask(nowUs);
    }
    await settle();
    const args = { suite: "quick", benchmarks: ["b js/cpu", "other js/cpu"], patience_s: 1800 };
    expect(asked).toEqual([["h1", { name: "start_run", arguments: args, timeout: 120, by: "alerts" }]]);
    const again = makeVerdict({ time_us: nowUs + 60e6 });
    expect(confirmations.find("b", again, nowUs + 60e6)).toBe("Measured again, it is slower again: confirmed.");
    expect(confirmations.find("b", makeVerdict({ time_us: nowUs + 120e6 }), nowUs + 120e6)).toMatch(/confirmed/);
    confirmations.forget("o");
    expect(confirmations.find("o", makeVerdict({ ...other, time_us: nowUs + 999e6 }), nowUs + 999e6)).toBeUndefined();
  });

  it.each([
    [
      "the host refuses",
      async () => ({ done: false, code: "COMMAND_FORBIDDEN", message: "no such suite here" }) as const,
      /^Not confirmed: no such suite here\.$/,
    ],
    [
      "the host is away",
      () => Promise.reject(new FleetmarkError("HOST_ABSENT", "the agent of host h1 is not attached")),
      /not attached/,
    ],
  ])("is told with the reason where %s", async (_, answer, says) => {
    const { confirmations } = setUp(answer);
    confirmations.find("b", makeVerdict(), nowUs);
    confirmations.ask(nowUs);
    await settle();
    expect(confirmations.find("b", makeVerdict(), nowUs)).toMatch(says);
  });

  it("is told at last where nothing comes of it, or another collector may have the host", async () => {
    const { confirmations } = setUp(() => Promise.reject(new FleetmarkError("HOST_ABSENT", "away")), true);
    confirmations.find("b", makeVerdict(), nowUs);
    confirmations.ask(nowUs);
    await settle();
    expect(confirmations.find("b", makeVerdict(), nowUs + 2600e6)).toBeUndefined();
    expect(confirmations.find("b", makeVerdict(), nowUs + 2701e6)).toBe(
      "Not confirmed: it was not measured again within 45 min 0 s.",
    );
  });

  it("of a class is confirmed by its hosts; one of before the collector began is not asked for", () => {
    const { asked, confirmations } = setUp();
    expect(confirmations.find("b", makeVerdict({ cause: "class" }), nowUs)).toBe("Other hosts of its class confirm it.");
    expect(confirmations.find("old", makeVerdict({ time_us: nowUs - 2e6 }), nowUs)).toBe("");
    confirmations.ask(nowUs);
    expect(asked).toEqual([]);
  });

  it("of many hosts at once asks none of them", () => {
    const { asked, confirmations } = setUp();
    for (let i = 0; i < 11; i++) confirmations.find(`k${i}`, makeVerdict({ host: `h${i}` }), nowUs);
    confirmations.ask(nowUs);
    expect([asked.length, confirmations.find("k3", makeVerdict({ host: "h3" }), nowUs)]).toEqual([
      0,
      expect.stringMatching(/11 hosts/),
    ]);
  });
});
