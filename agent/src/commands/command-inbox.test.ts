import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Command, CommandSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { CommandAnswer, RunBookPages } from "../runs/run-book.js";
import { answerCommand, type CommandHandler, commandLimits, createCommandInbox } from "./command-inbox.js";

const nowUs = 1_700_000_000_000_000;

function makeCommand(change: MessageInitShape<typeof CommandSchema> = {}): Command {
  return create(CommandSchema, { id: "c1", name: "echo", argumentsJson: '{"a":1}', expiresUs: BigInt(nowUs + 1e6), ...change });
}

function setUp(more: Record<string, CommandHandler> = {}) {
  const done: unknown[] = [];
  const echo: CommandHandler = async (args) => {
    done.push(args);
    return args;
  };
  const clock = { nowUs };
  const handlers = new Map(Object.entries({ echo, ...more }));
  const pages: RunBookPages = { handled: {}, measured: {}, waiting: [], current: null, answers: [] };
  const disk = { isGood: true, kept: "" };
  const keep = async (): Promise<boolean> => {
    if (disk.isGood) disk.kept = JSON.stringify(pages);
    return disk.isGood;
  };
  const told: CommandAnswer[] = [];
  const inbox = createCommandInbox({
    handlers,
    book: { pages, keep },
    nowUs: () => clock.nowUs,
    onAnswered: async (_, answer) => {
      told.push(answer);
    },
    logger: pino({ level: "silent" }),
  });
  return {
    inbox,
    pages,
    disk,
    told,
    done,
    clock,
    answer: (change?: MessageInitShape<typeof CommandSchema>) => answerCommand(inbox, makeCommand(change)),
  };
}

describe("commands", () => {
  it("are done, and what that gave is told", async () => {
    const { answer, done } = setUp({ quiet: async () => undefined });
    expect(await answer()).toEqual({ id: "c1", done: true, code: "", message: "", resultJson: '{"a":1}' });
    expect(await answer({ id: "c2", name: "quiet", argumentsJson: "" })).toMatchObject({ done: true, resultJson: "" });
    expect(done).toEqual([{ a: 1 }]);
  });

  it("that come again are answered as before, and done once, even late and while they are under way", async () => {
    const { answer, done, clock } = setUp();
    const first = await Promise.all([answer(), answer()]);
    clock.nowUs += 3600e6;
    expect([...first, await answer({ name: "other" })]).toEqual(Array(3).fill(first[0]));
    expect(done.length).toBe(1);
  });

  it.each<[string, MessageInitShape<typeof CommandSchema>, string]>([
    ["of an unknown name", { name: "toString" }, "COMMAND_UNKNOWN"],
    ["that has expired", { expiresUs: BigInt(nowUs) }, "COMMAND_EXPIRED"],
    ["that never says when it expires", { expiresUs: 0n }, "COMMAND_EXPIRED"],
    ["without an id", { id: "" }, "COMMAND_INVALID"],
    ["of a long id", { id: "x".repeat(commandLimits.id + 1) }, "COMMAND_INVALID"],
    ["of a long name", { name: "x".repeat(commandLimits.name + 1) }, "COMMAND_INVALID"],
    ["whose arguments are no JSON", { argumentsJson: "{" }, "COMMAND_INVALID"],
    ["whose arguments are no object", { argumentsJson: "[1]" }, "COMMAND_INVALID"],
    ["whose arguments are too long", { argumentsJson: `{"a":"${"x".repeat(commandLimits.json)}"}` }, "COMMAND_INVALID"],
  ])("%s are not done, and that is said", async (_, change, code) => {
    const { answer, done } = setUp();
    const given = await answer(change);
    expect(given).toMatchObject({ done: false, code, resultJson: "" });
    expect(given.id.length).toBeLessThanOrEqual(commandLimits.id);
    expect(given.message.length).toBeGreaterThan(0);
    expect(done).toEqual([]);
  });

  it("whose handler fails are answered by the reason, and not tried again", async () => {
    let tries = 0;
    const { answer } = setUp({
      coded: async () => {
        throw new FleetmarkError("BENCHMARK_UNKNOWN", "no such suite");
      },
      thrown: () => {
        tries++;
        throw new Error("a".repeat(10_000));
      },
      large: async () => ({ text: "x".repeat(commandLimits.result) }),
      endless: async () => {
        const loop: Record<string, unknown> = {};
        loop.loop = loop;
        return loop;
      },
    });
    expect(await answer({ id: "1", name: "coded" })).toMatchObject({ code: "BENCHMARK_UNKNOWN", message: "no such suite" });
    const failed = await answer({ id: "2", name: "thrown" });
    expect(failed).toMatchObject({ done: false, code: "COMMAND_FAILED", message: "a".repeat(commandLimits.message) });
    expect(await answer({ id: "2", name: "thrown" })).toEqual(failed);
    expect(tries).toBe(1);
    for (const name of ["large", "endless"]) expect(await answer({ id: name, name })).toMatchObject({ code: "COMMAND_FAILED" });
  });

  it("are remembered in a bounded number, of which none is forgotten that could come again", async () => {
    const finishers: (() => void)[] = [];
    const wait: CommandHandler = () =>
      new Promise((resolve) => {
        finishers.push(() => resolve({}));
      });
    const { answer, pages, clock } = setUp({ wait });
    const waiting = Array.from({ length: commandLimits.remembered }, (_, i) => answer({ id: `w${i}`, name: "wait" }));
    await Promise.resolve();
    expect(await answer({ id: "one too many" })).toMatchObject({ done: false, code: "COMMANDS_TOO_MANY" });
    for (const finish of finishers) finish();
    expect((await Promise.all(waiting)).every(({ done }) => done)).toBe(true);
    expect(await answer({ id: "still too many" })).toMatchObject({ done: false, code: "COMMANDS_TOO_MANY" });
    clock.nowUs += 2e6;
    expect(await answer({ id: "later", expiresUs: BigInt(clock.nowUs + 1e6) })).toMatchObject({ done: true });
    expect(pages.answers.length).toBe(commandLimits.remembered);
  });

  it("are known to the next process: by their answers, or by the run that came of them", async () => {
    const first = setUp();
    const given = await first.answer();
    expect(first.told).toEqual([given]);
    const second = setUp();
    Object.assign(second.pages, JSON.parse(first.disk.kept));
    expect(await second.answer()).toEqual(given);
    const due = { due_us: 1, expires_us: 2, needs_idle: true };
    second.pages.waiting.push({ run: "r9", suite: "quick", trigger: "command", command: "c9", ...due });
    expect(await second.answer({ id: "c9" })).toMatchObject({ done: true, resultJson: '{"run":"r9"}' });
    expect(second.done).toEqual([]);
  });

  it("say so where they can't be remembered", async () => {
    const { answer, disk } = setUp();
    disk.isGood = false;
    expect(await answer()).toMatchObject({ done: true, message: expect.stringContaining("can't be remembered") });
  });

  it("are answered whatever they hold", async () => {
    const text = fc.oneof(fc.string(), fc.json(), fc.constantFrom("echo", "__proto__", "constructor"));
    const commands = fc.record({
      id: fc.string(),
      name: text,
      argumentsJson: text,
      expiresUs: fc.bigInt({ min: 0n, max: 2n ** 60n }),
    });
    const { answer } = setUp();
    await fc.assert(
      fc.asyncProperty(commands, async (command) => {
        const given = await answer(command);
        expect(given.done).toBe(given.code === "");
      }),
    );
  });
});
