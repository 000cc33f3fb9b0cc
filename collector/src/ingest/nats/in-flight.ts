/** How the server is told what became of a message (nats-architecture ADR-13). */
const answers = { acked: "+ACK", terminated: "+TERM", working: "+WPI", released: "-NAK" } as const;

export type Answer = Exclude<keyof typeof answers, "working">;

/** A batch message whose fate is open. */
export interface Held {
  /** Names the message in the stream for ever, however often it is delivered. */
  readonly key: string;
  readonly bytes: number;
  /** Where the answer goes: the latest delivery's. */
  reply: string;
}

/** The messages that this collector has in hand: a bounded number of bytes, for each of which the server is told that it is worked on. */
export interface Custody {
  readonly messages: number;
  readonly bytes: number;
  /** Takes a message; undefined when it is in hand already, and was only delivered again. */
  take(key: string, bytes: number, reply: string): Held | undefined;
  settle(held: Held, answer: Answer): void;
  /** Tells the server that every message in hand is still worked on. */
  keepAlive(): void;
  /** Gives back all that is in hand, for another collector to take at once. */
  release(): void;
  /** Resolves at once while there is room, else when there is room again. */
  waitForRoom(): Promise<void> | undefined;
}

export const custodyLimits = { messages: 2048, bytes: 16 * 2 ** 20 } as const;

export function createCustody(
  publish: (subject: string, payload: string) => void,
  limits: typeof custodyLimits = custodyLimits,
): Custody {
  const inHand = new Map<string, Held>();
  let bytes = 0;
  let room: { promise: Promise<void>; resolve: () => void } | undefined;

  // Half of it stays free for what the next fetch brings.
  const isFull = (): boolean => inHand.size >= limits.messages / 2 || bytes >= limits.bytes / 2;

  const forget = (held: Held): void => {
    if (!inHand.delete(held.key)) return;
    bytes -= held.bytes;
    if (room === undefined || isFull()) return;
    room.resolve();
    room = undefined;
  };

  return {
    get messages() {
      return inHand.size;
    },
    get bytes() {
      return bytes;
    },
    take: (key, size, reply) => {
      const known = inHand.get(key);
      if (known !== undefined) {
        known.reply = reply;
        return undefined;
      }
      const held = { key, bytes: size, reply };
      inHand.set(key, held);
      bytes += size;
      return held;
    },
    settle: (held, answer) => {
      forget(held);
      publish(held.reply, answers[answer]);
    },
    keepAlive: () => {
      for (const { reply } of inHand.values()) publish(reply, answers.working);
    },
    release: () => {
      for (const held of [...inHand.values()]) {
        forget(held);
        publish(held.reply, answers.released);
      }
    },
    waitForRoom: () => {
      if (!isFull()) return undefined;
      if (room === undefined) {
        let resolve = (): void => {};
        const promise = new Promise<void>((settle) => {
          resolve = settle;
        });
        room = { promise, resolve };
      }
      return room.promise;
    },
  };
}
