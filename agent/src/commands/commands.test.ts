import { FleetmarkError } from "@fleetmark/shared/errors";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { RunQueue } from "../runs/run-queue.js";
import type { RunRequest } from "../runs/run-request.js";
import { type CommandName, commandNames, createCommandHandlers } from "./command-registry.js";

const nowMs = Date.parse("2026-11-27T08:00:00Z");

function setUp(allowed = { suites: ["*"], atOnce: false }, allow: readonly string[] = commandNames) {
  const waiting: RunRequest[] = [];
  const cancelled: string[] = [];
  const queue: RunQueue = {
    add: (request) => {
      waiting.push(request);
      return new Promise(() => {});
    },
    cancel: (isChosen, reason) => {
      const chosen = waiting.filter(isChosen);
      cancelled.push(...chosen.map(({ run }) => `${run}: ${reason}`));
      return chosen.length;
    },
    read: () => ({ current: undefined, waiting, waitsFor: undefined }),
    stop: async () => {},
  };
  let inventories = 0;
  const logger = pino({ level: "info" }, { write: () => {} });
  const parts = {
    queue,
    bench: { findSuite: (name: string) => (name === "quick" ? {} : undefined) },
    allowed,
    takeInventory: () => inventories++,
    nowMs: () => nowMs,
    logger,
  };
  const handlers = createCommandHandlers(parts, allow);
  const ask = async (name: CommandName, args: Record<string, unknown> = {}, id = "c1"): Promise<unknown> => {
    try {
      return await handlers.get(name)?.(args, id);
    } catch (thrown) {
      return thrown instanceof FleetmarkError ? thrown.code : thrown;
    }
  };
  return { ask, waiting, cancelled, logger, countInventories: () => inventories };
}

describe("start_run", () => {
  it("takes a suite of the host's into the queue, to wait until the host is free", async () => {
    const { ask, waiting } = setUp();
    const given = await ask("start_run", { suite: "quick", benchmarks: ["policy_*"], patience_s: 600 });
    expect(waiting).toEqual([
      {
        run: (given as { run: string }).run,
        suite: "quick",
        trigger: "command",
        command: "c1",
        due_us: nowMs * 1000,
        expires_us: (nowMs + 600_000) * 1000,
        needs_idle: true,
        benchmarks: ["policy_*"],
      },
    ]);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ suite: "enormous" }, "BENCHMARK_UNKNOWN"],
    [{}, "COMMAND_INVALID"],
    [{ suite: "quick", code: "rm -rf /" }, "COMMAND_INVALID"],
    [{ suite: "quick", patience_s: -1 }, "COMMAND_INVALID"],
    [{ suite: "quick", benchmarks: [] }, "COMMAND_INVALID"],
    [{ suite: "quick", at_once: true }, "COMMAND_FORBIDDEN"],
  ])("refuses %j", async (args, code) => {
    const { ask, waiting } = setUp();
    expect(await ask("start_run", args)).toBe(code);
    expect(waiting).toEqual([]);
  });

  it("chooses among what the host's own configuration allows", async () => {
    expect(await setUp({ suites: ["full"], atOnce: false }).ask("start_run", { suite: "quick" })).toBe("COMMAND_FORBIDDEN");
    const open = setUp({ suites: ["quick"], atOnce: true });
    await open.ask("start_run", { suite: "quick", at_once: true });
    expect(open.waiting).toMatchObject([{ needs_idle: false }]);
    expect(await setUp(undefined, ["cancel_run"]).ask("start_run", { suite: "quick" })).toBe("COMMAND_FORBIDDEN");
  });

  it("takes no more than a queue of runs that wait", async () => {
    const { ask, waiting } = setUp();
    for (let i = 0; i < 16; i++) await ask("start_run", { suite: "quick" }, `c${i}`);
    expect(await ask("start_run", { suite: "quick" })).toBe("COMMANDS_TOO_MANY");
    expect(waiting).toHaveLength(16);
  });
});

it("cancel_run calls off what is named, or all that commands asked for", async () => {
  const { ask, waiting, cancelled } = setUp();
  const due = { due_us: 1, expires_us: 2, needs_idle: true, suite: "quick" };
  waiting.push({ ...due, run: "r1", trigger: "schedule" });
  waiting.push({ ...due, run: "r2", trigger: "command", command: "a" }, { ...due, run: "r3", trigger: "command", command: "b" });
  expect(await ask("cancel_run", { commands: ["b"], reason: "maintenance" })).toEqual({ cancelled: 1 });
  expect(await ask("cancel_run", { run: "r1" })).toEqual({ cancelled: 1 });
  expect(await ask("cancel_run")).toEqual({ cancelled: 2 });
  expect(cancelled.slice(0, 2)).toEqual(["r3: maintenance", "r1: called off from the collector"]);
});

it("tell_inventory takes it anew, and set_log_level changes what is logged", async () => {
  const { ask, countInventories, logger } = setUp();
  expect(await ask("tell_inventory")).toEqual({});
  expect(countInventories()).toBe(1);
  expect(await ask("set_log_level", { level: "debug" })).toEqual({ before: "info", level: "debug" });
  expect(logger.level).toBe("debug");
  expect(await ask("set_log_level", { level: "loud" })).toBe("COMMAND_INVALID");
});
