import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import { natsConsumer, natsStream } from "@fleetmark/shared/nats/subjects";
import type { Msg, NatsConnection } from "@nats-io/transport-node";

/**
 * Asks the shared consumer for messages, one request after the other, for as long as it goes well.
 *
 * The client library's own fetch by bytes does not end on nats-server 2.9 once a request is filled by its number of
 * messages, for that server says nothing then; so requests are counted here. A request is bounded by messages and
 * bytes, whichever comes first.
 */
export interface Fetch extends Running {
  /** Resolves when it has ended: with the reason, or with undefined when it was stopped. */
  readonly ended: Promise<FleetmarkError | undefined>;
  /** Whether it waits for messages, not for room to put them. */
  isWaiting(): boolean;
  /** When a message last came, or a request was last made, by performance.now. */
  lastMessageMs(): number;
}

export interface FetchOptions {
  readonly connection: NatsConnection;
  readonly inbox: string;
  /** Bytes that one request may bring; above the server's max_payload, or the largest message would never come. */
  readonly maxBytes: number;
  /** Undefined while there is room for what one request brings. */
  waitForRoom(): Promise<void> | undefined;
  receive(message: Msg): void;
}

/** The request that stands, and what is known of it. */
interface FetchState {
  readonly options: FetchOptions;
  stopped: boolean;
  waiting: boolean;
  lastMessageMs: number;
  /** Names the request in the subject of its answers. */
  number: number;
  /** Messages that it may still bring. */
  left: number;
  silence: NodeJS.Timeout | undefined;
  /** Ends the request, with the reason if that was not in order. */
  finish: (reason: FleetmarkError | undefined) => void;
}

/**
 * Messages that one request may bring; milliseconds that it stands, and between the server's signs of life meanwhile.
 */
const request = { messages: 256, expires: 10_000, heartbeat: 2500 } as const;
/** Without a sign for so long the request is lost. */
const silenceMs = 3 * request.heartbeat;
const nanosPerMs = 1e6;

/**
 * What ends a request in good order (nats-architecture ADR-13): it has expired, or the next message does not fit into
 * it.
 */
function isOrderly(code: number, description: string): boolean {
  return code === 408 || code === 404 || /exceeds maxbytes|batch completed/i.test(description);
}

function expectSign(state: FetchState): void {
  clearTimeout(state.silence);
  const message = `the consumer ${natsConsumer} gave no sign of life for ${silenceMs / 1000} s`;
  state.silence = setTimeout(() => state.finish(new FleetmarkError("NATS_FAILED", message)), silenceMs);
}

/** Takes what the server says of a request. One that is over has nothing more to say. */
function receiveStatus({ options, number, finish }: FetchState, message: Msg): void {
  const { code, description } = message.headers ?? { code: 0, description: "" };
  if (message.subject !== `${options.inbox}.${number}` || code === 100) return;
  if (isOrderly(code, description)) finish(undefined);
  else finish(new FleetmarkError("NATS_FAILED", `JetStream: ${description || "no answer"} (${code})`));
}

function receiveMessage(state: FetchState, error: Error | null, message: Msg): void {
  const { inbox, receive } = state.options;
  if (error !== null) {
    const reason = `the NATS server does not let this user receive messages: ${error.message}`;
    state.finish(new FleetmarkError("NATS_DENIED", reason));
    return;
  }
  expectSign(state);
  if (message.subject.startsWith(inbox)) {
    receiveStatus(state, message);
    return;
  }
  state.lastMessageMs = performance.now();
  state.left--;
  receive(message);
  if (state.left === 0) state.finish(undefined);
}

/** Makes one request; resolves when it is over, with the reason if that was not in order. */
function makeRequest(state: FetchState): Promise<FleetmarkError | undefined> {
  const { connection, inbox, maxBytes } = state.options;
  return new Promise((resolve) => {
    state.finish = resolve;
    state.number++;
    state.left = request.messages;
    state.lastMessageMs = performance.now();
    const question = {
      batch: request.messages,
      max_bytes: maxBytes,
      expires: request.expires * nanosPerMs,
      idle_heartbeat: request.heartbeat * nanosPerMs,
    };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${natsStream}.${natsConsumer}`;
    connection.publish(subject, JSON.stringify(question), { reply: `${inbox}.${state.number}` });
    expectSign(state);
  });
}

async function runFetch(state: FetchState): Promise<FleetmarkError | undefined> {
  const { connection, inbox, waitForRoom } = state.options;
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => receiveMessage(state, error, message),
  });
  let reason: FleetmarkError | undefined;
  while (!state.stopped && reason === undefined && !connection.isClosed()) {
    for (let room = waitForRoom(); room !== undefined && !state.stopped; room = waitForRoom()) await room;
    if (state.stopped) break;
    state.waiting = true;
    reason = await makeRequest(state);
    state.waiting = false;
  }
  clearTimeout(state.silence);
  // What comes after this is delivered again, to whichever collector asks.
  if (!connection.isClosed()) subscription.unsubscribe();
  return state.stopped ? undefined : reason;
}

export function startFetch(options: FetchOptions): Fetch {
  const state: FetchState = {
    options,
    stopped: false,
    waiting: false,
    lastMessageMs: performance.now(),
    number: 0,
    left: 0,
    silence: undefined,
    finish: () => {},
  };
  const ended = runFetch(state);
  return {
    ended,
    isWaiting: () => state.waiting,
    lastMessageMs: () => state.lastMessageMs,
    stop: async () => {
      state.stopped = true;
      state.finish(undefined);
    },
  };
}
