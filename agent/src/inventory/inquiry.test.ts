import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createQuietGate, type QuietGate } from "../runs/quiet-gate.js";
import { type InquiryOptions, inquiryWaits, startInquiry } from "./inquiry.js";

let gate: QuietGate;
let lines: { event: string; msg: string }[];
let answers: number[];
const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });

beforeEach(() => {
  vi.useFakeTimers();
  [gate, lines, answers] = [createQuietGate(), [], []];
});
afterEach(() => void vi.useRealTimers());

const start = (ask: InquiryOptions<number>["ask"], again: number | undefined = undefined) =>
  startInquiry({ ask, onAnswer: (answer) => answers.push(answer), deadline: 30, again, gate, logger });

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

it("asks at once, and again when an answer may have changed", async () => {
  let asked = 0;
  const inquiry = start(async () => ++asked, 86_400);
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toEqual([1]);
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect(answers).toEqual([1, 2]);
  await inquiry.stop();
  await vi.advanceTimersByTimeAsync(200_000_000);
  expect(answers).toEqual([1, 2]);
});

it("says why there is no answer, and asks again ever more seldom", async () => {
  let asked = 0;
  const inquiry = start(async () => {
    if (++asked < 4) throw new Error("no such tool");
    return asked;
  });
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(1000 * inquiryWaits.firstFailure * (1 + 2 + 4));
  expect(lines.map(({ event, msg }) => `${event}: ${msg}`)).toEqual(Array(3).fill("inventory_failed: no such tool"));
  expect(answers).toEqual([4]);
  await inquiry.stop();
});

it("does not wait for an answer that never comes, not even to stop", async () => {
  const inquiry = start(() => new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(lines.map(({ msg }) => msg)).toEqual(["no answer within 30 s"]);
  await vi.advanceTimersByTimeAsync(65_000);
  await inquiry.stop();
});

it("makes way for what is timed, and asks again when it is over", async () => {
  let asked = 0;
  const inquiry = start((signal) => (++asked === 1 ? untilAborted(signal) : Promise.resolve(asked)));
  await vi.advanceTimersByTimeAsync(1000);
  gate.set(true);
  await vi.advanceTimersByTimeAsync(600_000);
  expect([asked, lines, answers]).toEqual([1, [], []]);
  gate.set(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toEqual([2]);
  await inquiry.stop();
});
