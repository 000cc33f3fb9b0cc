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
import type { Sender } from "../delivery/send-window.js";
import { createTransits, nameMessage, type Transit, type TransitPatience } from "./nats-in-flight.js";
import { askPosition, explainPublishFailure, publishToStream } from "./nats-jetstream.js";

/** Milliseconds. */
export interface CarrierTiming extends TransitPatience {
  /** Between two looks for batches of which no word came. */
  readonly look: number;
  /** From a reconnect to the question what its gap has swallowed. */
  readonly settle: number;
}

export interface CarrierOptions {
  readonly library: NatsLibrary;
  readonly host: string;
  readonly sender: Sender;
  readonly counts: DeliveryCounts;
  readonly timing: CarrierTiming;
  readonly logger: Logger;
  /** The connection over which batches may go now. */
  findConnection(): NatsConnection | undefined;
  complain(reason: FleetmarkError): void;
}

/** Carries what the sender has into the stream, and again what was lost on the way. */
export interface Carrier {
  /** Publishes what is due, as far as the window goes. */
  pump(): void;
  /** A connection is there. */
  begin(connection: NatsConnection): void;
  /** The connection is gone: what it was asked stays without an answer. */
  interrupt(): void;
  /** Collectors have told what became of batches. */
  settle(ack: Ack): void;
  close(): void;
}

/** The questions after a silence come so many times as slowly, at most. */
const longestAskFactor = 10;

export function createCarrier(options: CarrierOptions): Carrier {
  const { library, host, sender, counts, timing, logger, findConnection, complain } = options;
  const subject = natsSubject("batch", host);
  const transits = createTransits(timing);
  let publishing = 0;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let asking = false;
  let askAgainMs = 0;
  let askWaitMs = timing.silence;

  /** Stops publishing for a while, and says why; what fails in the same moment fails for the same reason. */
  const hold = (thrown: unknown, connection: NatsConnection): void => {
    if (retry !== undefined) return;
    const resume = (): void => {
      retry = undefined;
      pump();
    };
    retry = setTimeout(resume, chooseBackoff(failures++, Math.random()) * 1000);
    void explainPublishFailure(thrown, connection, library).then(complain);
  };

  const publish = async (connection: NatsConnection, transit: Transit): Promise<void> => {
    publishing++;
    try {
      const sequence = await publishToStream(connection, library, subject, nameMessage(transit), transit.parcel.bytes);
      transits.store(transit, sequence, performance.now());
      if (failures > 0) logger.info({ event: "stream_takes" }, "the stream takes batches again");
      failures = 0;
    } catch (thrown) {
      // A connection that is gone says so itself.
      if (connection.isClosed()) return;
      transits.fail(transit);
      hold(thrown, connection);
    } finally {
      publishing--;
    }
    pump();
  };

  const takeNext = (): Transit | undefined => {
    const due = transits.takeDue();
    if (due !== undefined) {
      if (due.attempt > 1) counts.resent += due.parcel.samples;
      return due;
    }
    const parcel = sender.take();
    if (parcel === undefined) return undefined;
    transits.add(parcel);
    return transits.takeDue();
  };

  const pump = (): void => {
    const connection = findConnection();
    if (connection === undefined) return;
    // A full spool gives up its oldest batches, and these may be under way.
    if (transits.size > sender.inFlight) transits.prune(({ id }) => sender.awaits(id));
    // After a failure one batch finds out whether the stream takes any.
    while (retry === undefined && (failures === 0 || publishing === 0)) {
      const transit = takeNext();
      if (transit === undefined) return;
      void publish(connection, transit);
    }
  };

  /** Asks how far the collectors are, and sends anew what they must have done with, though no word of it came. */
  const ask = async (connection: NatsConnection, hurry: boolean): Promise<void> => {
    if (asking) return;
    asking = true;
    try {
      const position = await askPosition(connection);
      logger.debug({ event: "position", ...position });
      const lost = transits.judge(position, performance.now(), hurry);
      if (lost.length > 0) {
        logger.warn({ event: "acks_lost", batches: lost.length }, "collectors are done with batches, and no word came");
      }
      pump();
    } catch (thrown) {
      logger.debug({ event: "position_unknown" }, errorMessage(thrown));
    }
    asking = false;
  };

  const look = (): void => {
    const connection = findConnection();
    const nowMs = performance.now();
    if (connection === undefined || nowMs < askAgainMs || !transits.isSilent(nowMs)) return;
    // The backlog of collectors that are away for hours is not asked after every few seconds.
    askAgainMs = nowMs + askWaitMs;
    askWaitMs = Math.min(longestAskFactor * timing.silence, askWaitMs * 2);
    void ask(connection, false);
  };

  const looking = setInterval(look, timing.look);
  const stopRetry = (): void => {
    clearTimeout(retry);
    retry = undefined;
  };

  return {
    pump,
    begin: (connection) => {
      stopRetry();
      failures = 0;
      // Acknowledgements that came while there was no connection have found nobody; and which stream it is must be known, to tell
      // later whether it is another. A fleet that comes back does not ask in one moment.
      const askOnce = (): void => {
        if (findConnection() === connection) void ask(connection, true);
      };
      setTimeout(askOnce, timing.settle * (1 + Math.random())).unref();
      pump();
    },
    interrupt: transits.failAll,
    settle: (ack) => {
      sender.settle(ack);
      askWaitMs = timing.silence;
      for (const id of [...ack.committed, ...ack.rejected.map(({ id }) => id)]) transits.settle(batchKey(decodeBatchId(id)));
      pump();
    },
    close: () => {
      clearInterval(looking);
      stopRetry();
    },
  };
}
