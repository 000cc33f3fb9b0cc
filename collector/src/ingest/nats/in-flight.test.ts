import { expect, it } from "vitest";
import { createCustody, type Held } from "./in-flight.js";

function open(limits = { messages: 4, bytes: 100 } as never) {
  const sent: string[] = [];
  return { sent, custody: createCustody((subject, payload) => sent.push(`${subject} ${payload}`), limits) };
}

it("answers for each message once, at its latest delivery", () => {
  const { sent, custody } = open();
  const held = custody.take("1.5", 10, "r1") as Held;
  expect(custody.take("1.5", 10, "r2")).toBeUndefined();
  expect([custody.messages, custody.bytes]).toEqual([1, 10]);
  custody.settle(held, "acked");
  expect(sent).toEqual(["r2 +ACK"]);
  expect([custody.messages, custody.bytes]).toEqual([0, 0]);
});

it("tells the server that it works, and gives back what it has not done", () => {
  const { sent, custody } = open();
  custody.take("1", 1, "a");
  const held = custody.take("2", 1, "b") as Held;
  custody.keepAlive();
  custody.settle(held, "terminated");
  custody.release();
  expect(sent).toEqual(["a +WPI", "b +WPI", "b +TERM", "a -NAK"]);
  expect(custody.messages).toBe(0);
});

it.each([
  ["messages", [1, 1]],
  ["bytes", [30, 30]],
])("is full at half of its %s, and has room again when some are settled", async (_what, sizes) => {
  const { custody } = open();
  expect(custody.waitForRoom()).toBeUndefined();
  const held = sizes.map((bytes, i) => custody.take(String(i), bytes, "r") as Held);
  const room = custody.waitForRoom();
  expect(room).toBeInstanceOf(Promise);
  for (const each of held) custody.settle(each, "acked");
  await room;
  expect(custody.waitForRoom()).toBeUndefined();
});
