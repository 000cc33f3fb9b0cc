import type { FleetmarkError } from "@fleetmark/shared/errors";
import { natsConsumer, natsStream } from "@fleetmark/shared/nats";
import type { ConsumerMessages, JetStreamClient, JsMsg } from "@nats-io/jetstream";
import { jetStreamError } from "./failure.js";

/** Milliseconds that one request for messages stands; the server sends a sign of life at half of it. */
const fetchMs = 10_000;

/** Fetches messages of the shared consumer, one request after the other, for as long as it goes well. */
export interface Puller {
  /** Resolves when it has ended: with the reason, or with undefined when it was stopped. */
  readonly ended: Promise<FleetmarkError | undefined>;
  /** Whether it waits for messages, not for room to put them. */
  isFetching(): boolean;
  /** When a message last came, or the fetching last began, by performance.now. */
  lastSignMs(): number;
  stop(): void;
}

export interface PullerOptions {
  readonly client: JetStreamClient;
  /** Bytes that one request may bring; above the server's max_payload, or the largest message would never come. */
  readonly maxBytes: number;
  /** Undefined while there is room for a request's worth of messages. */
  waitForRoom(): Promise<void> | undefined;
  take(message: JsMsg): void;
}

export function startPuller({ client, maxBytes, waitForRoom, take }: PullerOptions): Puller {
  let stopped = false;
  let fetching: ConsumerMessages | undefined;
  let signMs = performance.now();

  const run = async (): Promise<FleetmarkError | undefined> => {
    try {
      const consumer = await client.consumers.get(natsStream, natsConsumer);
      while (!stopped) {
        for (let room = waitForRoom(); room !== undefined && !stopped; room = waitForRoom()) await room;
        if (stopped) break;
        signMs = performance.now();
        fetching = await consumer.fetch({ max_bytes: maxBytes, expires: fetchMs });
        for await (const message of fetching) {
          signMs = performance.now();
          // Sent before the server knew: another collector gets it at once.
          if (stopped) message.nak();
          else take(message);
        }
        fetching = undefined;
      }
      return undefined;
    } catch (thrown) {
      return stopped ? undefined : jetStreamError(thrown);
    } finally {
      fetching = undefined;
    }
  };

  return {
    ended: run(),
    isFetching: () => fetching !== undefined,
    lastSignMs: () => signMs,
    stop: () => {
      stopped = true;
      void fetching?.close();
    },
  };
}
