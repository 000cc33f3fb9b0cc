import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addMessage,
  type CommandMessage,
  createAccount,
  decodeLine,
  encodeJob,
  type LineBuffer,
  longestLine,
  splitLines,
} from "./command-protocol.js";

const job = {
  benchmark: { workload: "mine", category: "external", params: { batch: 1 }, runtime: "jax", device: "cpu" },
  taskModule: "",
  seed: 7,
  samples: 100,
  fewestSamples: 20,
  limitS: 2.5,
  core: undefined,
  checkLeak: true,
} as const;

const seconds = fc.double({ min: 1e-12, max: 1e6, noNaN: true });
const word = fc.stringMatching(/^[a-z]{1,10}$/);
const message: fc.Arbitrary<CommandMessage> = fc.oneof(
  fc.record({ type: fc.constant("ready" as const), device: word, runtime: word, version: word }),
  fc.record({ type: fc.constant("sample" as const), seconds }),
  fc.record({ type: fc.constant("samples" as const), seconds: fc.array(seconds, { minLength: 1 }) }),
  fc.record({ type: fc.constant("failed" as const), code: word, message: fc.string() }),
);

it("tells a command its job in one line", () => {
  const line = encodeJob(job);
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual({
    type: "job",
    protocol: 1,
    benchmark: "mine",
    params: { batch: 1 },
    seed: 7,
    samples: 100,
    fewest_samples: 20,
    limit_s: 2.5,
  });
});

describe("reading lines", () => {
  it("gives the messages that were sent, however their text was cut", () => {
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat({ max: 40 })), (messages, cuts) => {
        const text = messages.map((each) => `${JSON.stringify(each)}\n`).join("");
        const buffer: LineBuffer = { rest: "" };
        const found: (CommandMessage | undefined)[] = [];
        let at = 0;
        for (const length of [...cuts, text.length]) {
          found.push(...splitLines(buffer, text.slice(at, at + length)).map(decodeLine));
          at += length;
        }
        expect(found).toEqual(messages);
        expect(buffer.rest).toBe("");
      }),
    );
  });

  it("takes any text for a message, for nothing, or for an error that quotes it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.constant('{"type":"done","checksum":"x"}')), (line) => {
        try {
          decodeLine(line);
        } catch (error) {
          expect(error).toMatchObject({ code: "BENCHMARK_FAILED" });
          expect((error as Error).message).toContain(JSON.stringify(line.slice(0, 200)));
        }
      }),
    );
  });

  it("quotes no more than the beginning of a long line, and reads none without end", () => {
    const error = (() => {
      try {
        return decodeLine("x".repeat(5000));
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message.length).toBeLessThan(300);
    expect(() => splitLines({ rest: "" }, "x".repeat(longestLine + 1))).toThrow(/more than \d+ characters/);
  });

  it.each([
    ["not JSON", "Loading…", /not JSON/],
    ["not an object", "3", /not an object with a type/],
    ["without a type", "{}", /not an object with a type/],
    ["a time that is none", '{"type":"sample","seconds":-1}', /seconds is wrong/],
    ["an endless time", '{"type":"sample","seconds":1e999}', /seconds is wrong/],
    ["no times", '{"type":"samples","seconds":[]}', /seconds is wrong/],
    ["a device of two words", '{"type":"ready","device":"my gpu"}', /device is wrong/],
    ["what nothing processes", '{"type":"done","processed":{"unit":"tokens","per_iteration":1}}', /processed.unit is wrong/],
  ])("refuses %s", (_, line, expected) => {
    expect(() => decodeLine(line)).toThrow(expected);
  });

  it("passes over what a later version may tell", () => {
    expect(decodeLine('{"type":"note","text":"hello"}')).toBeUndefined();
    expect(decodeLine("  ")).toBeUndefined();
  });
});

describe("what a command may tell when", () => {
  const ready = { type: "ready", device: "cpu" } as const;
  const sample = { type: "sample", seconds: 1 } as const;
  const done = decodeLine('{"type":"done"}') as CommandMessage;
  const tell = (...messages: CommandMessage[]) => {
    const account = createAccount();
    for (const each of messages) addMessage(account, each, 3);
    return account;
  };

  it("is ready, samples, done", () => {
    const account = tell(ready, sample, { type: "samples", seconds: [2, 3] }, done);
    expect(account.seconds).toEqual([1, 2, 3]);
    expect(account.done).toMatchObject({ iterations_per_sample: 1, processed: { unit: "calls", per_iteration: 1 } });
  });

  it.each([
    ["a sample before ready", [sample], /before ready/],
    ["done before ready", [done], /before ready/],
    ["ready twice", [ready, ready], /twice/],
    ["done without a sample", [ready, done], /without a sample/],
    ["more samples than were asked for", [ready, sample, { type: "samples", seconds: [1, 1, 1] }], /more samples than the 3/],
  ] as const)("is not %s", (_, messages, expected) => {
    expect(() => tell(...(messages as readonly CommandMessage[]))).toThrow(expected);
  });

  it("is its failure at any time, by a code of the catalogue or none", () => {
    const fail = (code: string) => () => tell({ type: "failed", code, message: "no JAX here" });
    expect(fail("RUNTIME_UNAVAILABLE")).toThrow(expect.objectContaining({ code: "RUNTIME_UNAVAILABLE", message: "no JAX here" }));
    expect(fail("toString")).toThrow(expect.objectContaining({ code: "BENCHMARK_FAILED" }));
  });
});
