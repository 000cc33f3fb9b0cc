import { chooseBackoff } from "@fleetmark/shared/backoff";
import { errorMessage, type FleetmarkError } from "@fleetmark/shared/errors";
import type { Ack } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { batchKey } from "@fleetmark/shared/model/batch";
import type { NatsLibrary } from "@fleetmark/shared/nats/connection";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeBatchId } from "@fleetmark/shared/wire/batch-id";
import type { NatsConnection } from "@nats-io/transport-node";
import type { DeliveryCounts } from "../delivery/counts.js";
import type { SendWindow } from "../delivery/send-window.js";
import {
  addInFlight,
  type BatchInFlight,
  createInFlight,
  type InFlight,
  isAnySilent,
  judgeSilence,
  markAllDue,
  markDue,
  markStored,
  nameMessage,
  type Patience,
  pruneInFlight,
  removeInFlight,
  takeDue,
} from "./nats-in-flight.js";
import { askPosition, explainPublishFailure, publishToStream } from "./nats-jetstream.js";

/** Milliseconds. */
export interface PublisherTiming extends Patience {
  /** Between two looks for batches of which no word came. */
  readonly look: number;
  /** From a reconnect to the question what its gap has swallowed. */
  readonly gap: number;
}

export interface PublisherOptions {
  readonly library: NatsLibrary;
  readonly host: string;
  readonly window: SendWindow;
  readonly counts: DeliveryCounts;
  readonly timing: PublisherTiming;
  readonly logger: Logger;
  /** The connection over which batches may go now. */
  findConnection(): NatsConnection | undefined;
  complain(reason: FleetmarkError): void;
}

/** Publishes what the send window has into the stream, and again what was lost on the way. */
export interface Publisher {
  readonly options: PublisherOptions;
  readonly subject: string;
  readonly inFlight: InFlight;
  /** Publishes without an answer yet, and those that failed since the last that did not. */
  publishing: number;
  failures: number;
  /** Runs while nothing is published after a failure. */
  retry: NodeJS.Timeout | undefined;
  readonly looking: NodeJS.Timeout;
  asking: boolean;
  askAgainMs: number;
  askWaitMs: number;
}

/** The questions after a silence come so many times as slowly, at most. */
const longestAskFactor = 10;

export function startPublisher(options: PublisherOptions): Publisher {
  const { host, timing } = options;
  const publisher: Publisher = {
    options,
    subject: natsSubject("batch", host),
    inFlight: createInFlight(timing),
    publishing: 0,
    failures: 0,
    retry: undefined,
    looking: setInterval(() => lookForSilence(publisher), timing.look),
    asking: false,
    askAgainMs: 0,
    askWaitMs: timing.silence,
  };
  return publisher;
}

/** Stops publishing for a while, and says why; what fails in the same moment fails for the same reason. */
function backOff(publisher: Publisher, thrown: unknown, connection: NatsConnection): void {
  const { complain, library } = publisher.options;
  if (publisher.retry !== undefined) return;
  const resume = (): void => {
    publisher.retry = undefined;
    publishDue(publisher);
  };
  publisher.retry = setTimeout(resume, chooseBackoff(publisher.failures++, Math.random()) * 1000);
  void explainPublishFailure(thrown, connection, library).then(complain);
}

async function publish(publisher: Publisher, connection: NatsConnection, each: BatchInFlight): Promise<void> {
  const { library, logger } = publisher.options;
  publisher.publishing++;
  try {
    const message = { subject: publisher.subject, id: nameMessage(each), payload: each.batch.bytes };
    markStored(each, await publishToStream(connection, library, message), performance.now());
    if (publisher.failures > 0) logger.info({ event: "stream_takes" }, "the stream takes batches again");
    publisher.failures = 0;
  } catch (thrown) {
    // A connection that is gone says so itself.
    if (connection.isClosed()) return;
    markDue(each);
    backOff(publisher, thrown, connection);
  } finally {
    publisher.publishing--;
  }
  publishDue(publisher);
}

function takeNext({ inFlight, options: { window, counts } }: Publisher): BatchInFlight | undefined {
  const due = takeDue(inFlight);
  if (due !== undefined) {
    if (due.attempt > 1) counts.resent += due.batch.samples;
    return due;
  }
  const batch = window.takeNext();
  if (batch === undefined) return undefined;
  addInFlight(inFlight, batch);
  return takeDue(inFlight);
}

/** Publishes what is due, as far as the window goes. */
export function publishDue(publisher: Publisher): void {
  const { inFlight, options } = publisher;
  const { window } = options;
  const connection = options.findConnection();
  if (connection === undefined) return;
  // A full spool gives up its oldest batches, and these may be under way.
  if (inFlight.batches.size > window.inFlight) pruneInFlight(inFlight, ({ id }) => window.awaits(id));
  // After a failure one batch finds out whether the stream takes any.
  while (publisher.retry === undefined && (publisher.failures === 0 || publisher.publishing === 0)) {
    const next = takeNext(publisher);
    if (next === undefined) return;
    void publish(publisher, connection, next);
  }
}

/** Asks how far the collectors are, and sends anew what they must have done with, though no word of it came. */
async function askAfterSilent(publisher: Publisher, connection: NatsConnection, hurry: boolean): Promise<void> {
  const { logger } = publisher.options;
  if (publisher.asking) return;
  publisher.asking = true;
  try {
    const position = await askPosition(connection);
    logger.debug({ event: "position", ...position });
    const lost = judgeSilence(publisher.inFlight, position, performance.now(), hurry);
    if (lost.length > 0) {
      logger.warn({ event: "acks_lost", batches: lost.length }, "collectors are done with batches, and no word came");
    }
    publishDue(publisher);
  } catch (thrown) {
    logger.debug({ event: "position_unknown" }, errorMessage(thrown));
  }
  publisher.asking = false;
}

function lookForSilence(publisher: Publisher): void {
  const { findConnection, timing } = publisher.options;
  const connection = findConnection();
  const nowMs = performance.now();
  if (connection === undefined || nowMs < publisher.askAgainMs || !isAnySilent(publisher.inFlight, nowMs)) return;
  // The backlog of collectors that are away for hours is not asked after every few seconds.
  publisher.askAgainMs = nowMs + publisher.askWaitMs;
  publisher.askWaitMs = Math.min(longestAskFactor * timing.silence, publisher.askWaitMs * 2);
  void askAfterSilent(publisher, connection, false);
}

function stopRetry(publisher: Publisher): void {
  clearTimeout(publisher.retry);
  publisher.retry = undefined;
}

/** Publishes over a connection that has come up. */
export function useConnection(publisher: Publisher, connection: NatsConnection): void {
  const { findConnection, timing } = publisher.options;
  stopRetry(publisher);
  publisher.failures = 0;
  // Acknowledgements that came while there was no connection have found nobody; and which stream it is must be known,
  // to tell later whether it is another. A fleet that comes back does not ask in one moment.
  const askOnce = (): void => {
    if (findConnection() === connection) void askAfterSilent(publisher, connection, true);
  };
  setTimeout(askOnce, timing.gap * (1 + Math.random())).unref();
  publishDue(publisher);
}

/** The connection is gone: what it was asked stays without an answer. */
export function dropConnection(publisher: Publisher): void {
  markAllDue(publisher.inFlight);
}

/** Collectors have told what became of batches. */
export function acknowledgePublished(publisher: Publisher, ack: Ack): void {
  const { window, timing } = publisher.options;
  window.acknowledge(ack);
  publisher.askWaitMs = timing.silence;
  for (const id of [...ack.committed, ...ack.rejected.map(({ id }) => id)]) {
    removeInFlight(publisher.inFlight, batchKey(decodeBatchId(id)));
  }
  publishDue(publisher);
}

export function stopPublisher(publisher: Publisher): void {
  clearInterval(publisher.looking);
  stopRetry(publisher);
}
