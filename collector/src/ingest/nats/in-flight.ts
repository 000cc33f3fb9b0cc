import { createGate, type Gate } from "@fleetmark/shared/waiting";

/** How the server is told what became of a message (nats-architecture ADR-13). */
const answers = {
  acked: "+ACK",
  terminated: "+TERM",
  working: "+WPI",
  released: "-NAK",
  deferred: delayAnswer(10_000),
} as const;

/** To be delivered again after so many milliseconds. */
function delayAnswer(ms: number): string {
  return `-NAK {"delay":${Math.ceil(ms) * 1e6}}`;
}

export type Answer = Exclude<keyof typeof answers, "working">;

/** A batch message whose fate is open. */
export interface InFlightMessage {
  /** Names the message in the stream for ever, however often it is delivered. */
  readonly key: string;
  readonly bytes: number;
  /** Where the answer goes: the latest delivery's. */
  reply: string;
}

/**
 * The messages that this collector has in hand: a bounded number of bytes, for each of which the server is told that
 * it is worked on.
 */
export interface InFlight {
  readonly messages: Map<string, InFlightMessage>;
  bytes: number;
  /** Open while there is room for what one more fetch brings. */
  readonly room: Gate;
  readonly limits: InFlightLimits;
  readonly publish: (subject: string, payload: string) => void;
}

export interface InFlightLimits {
  readonly messages: number;
  readonly bytes: number;
}

export const inFlightLimits: InFlightLimits = { messages: 2048, bytes: 16 * 2 ** 20 };

export function createInFlight(publish: InFlight["publish"], limits = inFlightLimits): InFlight {
  return { messages: new Map(), bytes: 0, room: createGate(), limits, publish };
}

/** Half of the room stays free for what the next fetch brings. */
function updateRoom({ messages, bytes, room, limits }: InFlight): void {
  if (messages.size >= limits.messages / 2 || bytes >= limits.bytes / 2) room.shut();
  else room.open();
}

/** Adds a message that was delivered; undefined when it is in hand already, and was only delivered again. */
export function addMessage(inFlight: InFlight, key: string, bytes: number, reply: string): InFlightMessage | undefined {
  const known = inFlight.messages.get(key);
  if (known !== undefined) {
    known.reply = reply;
    return undefined;
  }
  const message = { key, bytes, reply };
  inFlight.messages.set(key, message);
  inFlight.bytes += bytes;
  updateRoom(inFlight);
  return message;
}

function letGo(inFlight: InFlight, message: InFlightMessage, answer: string): void {
  if (inFlight.messages.delete(message.key)) inFlight.bytes -= message.bytes;
  updateRoom(inFlight);
  inFlight.publish(message.reply, answer);
}

/** Tells the server what became of a message, which is in hand no longer. */
export function answerMessage(inFlight: InFlight, message: InFlightMessage, answer: Answer): void {
  letGo(inFlight, message, answers[answer]);
}

/** Gives a message back, to be delivered again after so many milliseconds. */
export function delayMessage(inFlight: InFlight, message: InFlightMessage, ms: number): void {
  letGo(inFlight, message, delayAnswer(ms));
}

/** Tells the server that every message in hand is still worked on. */
export function extendAll({ messages, publish }: InFlight): void {
  for (const { reply } of messages.values()) publish(reply, answers.working);
}

/** Gives back all that is in hand, for another collector to take at once. */
export function releaseAll(inFlight: InFlight): void {
  for (const message of [...inFlight.messages.values()]) answerMessage(inFlight, message, "released");
}
