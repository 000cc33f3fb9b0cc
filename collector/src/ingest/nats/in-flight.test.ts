import { expect, it } from "vitest";
import {
  addMessage,
  answerMessage,
  createInFlight,
  delayMessage,
  extendAll,
  type InFlightMessage,
  releaseAll,
} from "./in-flight.js";

function open(limits = { messages: 4, bytes: 100 }) {
  const sent: string[] = [];
  return { sent, inFlight: createInFlight((subject, payload) => sent.push(`${subject} ${payload}`), limits) };
}

it("answers for each message once, at its latest delivery", () => {
  const { sent, inFlight } = open();
  const message = addMessage(inFlight, "1.5", 10, "r1") as InFlightMessage;
  expect(addMessage(inFlight, "1.5", 10, "r2")).toBeUndefined();
  expect([inFlight.messages.size, inFlight.bytes]).toEqual([1, 10]);
  answerMessage(inFlight, message, "acked");
  expect(sent).toEqual(["r2 +ACK"]);
  expect([inFlight.messages.size, inFlight.bytes]).toEqual([0, 0]);
});

it("tells the server that it works, and gives back what it has not done", () => {
  const { sent, inFlight } = open();
  addMessage(inFlight, "1", 1, "a");
  const message = addMessage(inFlight, "2", 1, "b") as InFlightMessage;
  extendAll(inFlight);
  answerMessage(inFlight, message, "terminated");
  releaseAll(inFlight);
  expect(sent).toEqual(["a +WPI", "b +WPI", "b +TERM", "a -NAK"]);
  expect(inFlight.messages.size).toBe(0);
});

it("gives back what is to come again later, with the time in nanoseconds", () => {
  const { sent, inFlight } = open();
  delayMessage(inFlight, addMessage(inFlight, "1", 1, "a") as InFlightMessage, 1500.2);
  answerMessage(inFlight, addMessage(inFlight, "2", 1, "b") as InFlightMessage, "deferred");
  expect(sent).toEqual(['a -NAK {"delay":1501000000}', 'b -NAK {"delay":10000000000}']);
  expect(inFlight.messages.size).toBe(0);
});

it.each([
  ["messages", [1, 1]],
  ["bytes", [30, 30]],
])("is full at half of its %s, and has room again when some are answered", async (_what, sizes) => {
  const { inFlight } = open();
  expect(inFlight.room.wait()).toBeUndefined();
  const messages = sizes.map((bytes, i) => addMessage(inFlight, String(i), bytes, "r") as InFlightMessage);
  const room = inFlight.room.wait();
  expect(room).toBeInstanceOf(Promise);
  for (const message of messages) answerMessage(inFlight, message, "acked");
  await room;
  expect(inFlight.room.wait()).toBeUndefined();
});
