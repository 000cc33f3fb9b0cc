import { FleetmarkError } from "@fleetmark/shared/errors";
import { natsConsumer, natsStream } from "@fleetmark/shared/nats/subjects";
import type { Msg, NatsConnection } from "@nats-io/transport-node";

/** Asks the shared consumer for messages, one request after the other, for as long as it goes well. */
export interface Puller {
  /** Resolves when it has ended: with the reason, or with undefined when it was stopped. */
  readonly ended: Promise<FleetmarkError | undefined>;
  /** Whether it waits for messages, not for room to put them. */
  isWaiting(): boolean;
  /** When a message last came, or a request was last made, by performance.now. */
  lastMessageMs(): number;
  stop(): void;
}

export interface PullerOptions {
  readonly connection: NatsConnection;
  readonly inbox: string;
  /** Bytes that one request may bring; above the server's max_payload, or the largest message would never come. */
  readonly maxBytes: number;
  /** Undefined while there is room for what one request brings. */
  waitForRoom(): Promise<void> | undefined;
  take(message: Msg): void;
}

/** Messages that one request may bring; milliseconds that it stands, and between the server's signs of life meanwhile. */
const request = { messages: 256, expires: 10_000, heartbeat: 2500 } as const;
/** Without a sign for so long the request is lost. */
const silenceMs = 3 * request.heartbeat;
const nanosPerMs = 1e6;

/** What ends a request in good order (nats-architecture ADR-13): it has expired, or the next message does not fit into it. */
function isOrderly(code: number, description: string): boolean {
  return code === 408 || code === 404 || /exceeds maxbytes|batch completed/i.test(description);
}

/**
 * The client library's own fetch by bytes does not end on nats-server 2.9 once a request is filled by its number of messages, for that
 * server says nothing then; so requests are counted here. A request is bounded by messages and bytes, whichever comes first.
 */
export function startPuller({ connection, inbox, maxBytes, waitForRoom, take }: PullerOptions): Puller {
  let stopped = false;
  let waiting = false;
  let lastMessageMs = performance.now();
  let number = 0;
  let left = 0;
  let silence: NodeJS.Timeout | undefined;
  let finish: (reason: FleetmarkError | undefined) => void = () => {};

  const expectSign = (): void => {
    clearTimeout(silence);
    const reason = new FleetmarkError(
      "NATS_FAILED",
      `the consumer ${natsConsumer} gave no sign of life for ${silenceMs / 1000} s`,
    );
    silence = setTimeout(() => finish(reason), silenceMs);
  };

  const receiveStatus = (message: Msg): void => {
    const { code, description } = message.headers ?? { code: 0, description: "" };
    // A request that is over has nothing more to say.
    if (message.subject !== `${inbox}.${number}` || code === 100) return;
    finish(
      isOrderly(code, description)
        ? undefined
        : new FleetmarkError("NATS_FAILED", `JetStream: ${description || "no answer"} (${code})`),
    );
  };

  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error !== null) {
        finish(new FleetmarkError("NATS_DENIED", `the NATS server does not let this user receive messages: ${error.message}`));
        return;
      }
      expectSign();
      if (message.subject.startsWith(inbox)) {
        receiveStatus(message);
        return;
      }
      lastMessageMs = performance.now();
      left--;
      take(message);
      if (left === 0) finish(undefined);
    },
  });

  /** Makes one request; resolves when it is over, with the reason if that was not in order. */
  const pull = (): Promise<FleetmarkError | undefined> =>
    new Promise((resolve) => {
      finish = resolve;
      number++;
      left = request.messages;
      lastMessageMs = performance.now();
      const question = {
        batch: request.messages,
        max_bytes: maxBytes,
        expires: request.expires * nanosPerMs,
        idle_heartbeat: request.heartbeat * nanosPerMs,
      };
      const subject = `$JS.API.CONSUMER.MSG.NEXT.${natsStream}.${natsConsumer}`;
      connection.publish(subject, JSON.stringify(question), { reply: `${inbox}.${number}` });
      expectSign();
    });

  const run = async (): Promise<FleetmarkError | undefined> => {
    let reason: FleetmarkError | undefined;
    while (!stopped && reason === undefined && !connection.isClosed()) {
      for (let room = waitForRoom(); room !== undefined && !stopped; room = waitForRoom()) await room;
      if (stopped) break;
      waiting = true;
      reason = await pull();
      waiting = false;
    }
    clearTimeout(silence);
    // What comes after this is delivered again, to whichever collector asks.
    if (!connection.isClosed()) subscription.unsubscribe();
    return stopped ? undefined : reason;
  };

  return {
    ended: run(),
    isWaiting: () => waiting,
    lastMessageMs: () => lastMessageMs,
    stop: () => {
      stopped = true;
      finish(undefined);
    },
  };
}
