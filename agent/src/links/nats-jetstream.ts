import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { NatsLibrary } from "@fleetmark/shared/nats/connection";
import { natsConsumer, natsStream } from "@fleetmark/shared/nats/subjects";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { ConsumerPosition } from "./nats-in-flight.js";

/**
 * The requests of JetStream that an agent makes. Each is a message and a JSON answer, as nats-architecture ADR-1 and
 * ADR-22 describe; the client library for JetStream would cost every agent its memory for that.
 */

/** Milliseconds that the server may take to answer. */
export const answerWithinMs = 5000;

interface Answer {
  readonly error?: { readonly code?: number; readonly err_code?: number; readonly description?: string };
  readonly [key: string]: unknown;
}

/** Codes of nats-server's server/errors.json. */
const codes = {
  full: [10_002, 10_023, 10_047, 10_077],
  noStream: [10_059],
  noConsumer: [10_014],
  disabled: [10_039, 10_076],
} as const;

function readAnswer(message: Msg): Answer {
  let answer: unknown;
  try {
    answer = message.json();
  } catch (cause) {
    throw new FleetmarkError("NATS_FAILED", `JetStream answered no JSON: ${errorMessage(cause)}`, { cause });
  }
  if (typeof answer !== "object" || answer === null) throw new FleetmarkError("NATS_FAILED", "JetStream answered no object");
  return answer as Answer;
}

function explainError({ err_code = 0, description = "no reason given" }: NonNullable<Answer["error"]>): FleetmarkError {
  const has = (list: readonly number[]): boolean => list.includes(err_code);
  const message = `JetStream: ${description.slice(0, 200)} (${err_code})`;
  if (has(codes.full)) return new FleetmarkError("NATS_STREAM_FULL", message);
  if (has(codes.disabled)) return new FleetmarkError("NATS_NO_JETSTREAM", message);
  if (has(codes.noStream)) return new FleetmarkError("NATS_STREAM_MISSING", `there is no stream ${natsStream}`);
  return new FleetmarkError("NATS_FAILED", message);
}

/** Whether nobody listens to what was asked. */
export function isUnanswerable(thrown: unknown, { errors }: NatsLibrary): boolean {
  return thrown instanceof errors.RequestError && thrown.isNoResponders();
}

/** What is put into the stream. */
export interface StreamMessage {
  readonly subject: string;
  /** The stream takes a message with an id that it knows for the one that it has. */
  readonly id: string;
  readonly payload: Uint8Array;
}

/**
 * Puts a message into the stream; returns its sequence, be it that of an earlier message with this id.
 * @throws what the library throws, or FleetmarkError
 */
export async function publishToStream(
  connection: NatsConnection,
  library: NatsLibrary,
  { subject, id, payload }: StreamMessage,
): Promise<number> {
  const headers = library.headers();
  headers.set("Nats-Msg-Id", id);
  headers.set("Nats-Expected-Stream", natsStream);
  const { error, seq } = readAnswer(await connection.request(subject, payload, { timeout: answerWithinMs, headers }));
  if (error !== undefined) throw explainError(error);
  if (typeof seq !== "number" || seq < 1) throw new FleetmarkError("NATS_FAILED", "JetStream answered without a sequence");
  return seq;
}

function readSequence(value: unknown): number {
  const sequence = (value as { stream_seq?: unknown } | undefined)?.stream_seq;
  return typeof sequence === "number" ? sequence : 0;
}

/**
 * Returns the sequence up to which the stream, a work queue, has let go of everything: what it has let go of is done
 * with. 0 where that can't be known.
 */
async function askStreamFloor(connection: NatsConnection): Promise<number> {
  try {
    const { state } = readAnswer(await connection.request(`$JS.API.STREAM.INFO.${natsStream}`, "", { timeout: answerWithinMs }));
    const first = (state as { first_seq?: unknown } | undefined)?.first_seq;
    return typeof first === "number" ? Math.max(0, first - 1) : 0;
  } catch {
    // Where the permission is missing, the consumer's word has to do.
    return 0;
  }
}

/** Asks how far the collectors are. Undefined while no collector has ever been there. */
export async function askPosition(connection: NatsConnection): Promise<ConsumerPosition | undefined> {
  const subject = `$JS.API.CONSUMER.INFO.${natsStream}.${natsConsumer}`;
  const answer = readAnswer(await connection.request(subject, "", { timeout: answerWithinMs }));
  if (answer.error !== undefined) {
    if (codes.noConsumer.some((code) => code === answer.error?.err_code)) return undefined;
    throw explainError(answer.error);
  }
  return {
    created: String(answer.created),
    // A server that was killed may keep a floor for ever that lies below what was acknowledged (seen with nats-server
    // 2.9).
    ackFloor: Math.max(readSequence(answer.ack_floor), await askStreamFloor(connection)),
    delivered: readSequence(answer.delivered),
    ackPending: typeof answer.num_ack_pending === "number" ? answer.num_ack_pending : Number.POSITIVE_INFINITY,
  };
}

/**
 * Says why a publish failed. That nobody takes it may mean that the stream is missing or that JetStream is: that is
 * asked.
 */
export async function explainPublishFailure(
  thrown: unknown,
  connection: NatsConnection,
  library: NatsLibrary,
): Promise<FleetmarkError> {
  if (thrown instanceof FleetmarkError) return thrown;
  if (!isUnanswerable(thrown, library))
    return new FleetmarkError("NATS_FAILED", `no answer of JetStream: ${errorMessage(thrown)}`, { cause: thrown });
  try {
    await askPosition(connection);
    return new FleetmarkError(
      "NATS_STREAM_MISSING",
      `no stream takes this host's subject; is ${natsStream} for another subject?`,
    );
  } catch (second) {
    if (second instanceof FleetmarkError) return second;
    return new FleetmarkError(
      "NATS_NO_JETSTREAM",
      "no JetStream answers: it is off for this server or account, or has no leader",
    );
  }
}
