import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { collectorInboxPrefix, natsConsumer, natsStream, natsSubjects, readSubjectHost } from "@fleetmark/shared/nats";
import { checkNatsFiles, keepNatsConnected } from "@fleetmark/shared/nats-connection";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { readClockUs } from "../../clock.js";
import type { IngestLimits, NatsIngestConfig } from "../../config.js";
import type { Fleet } from "../../fleet.js";
import type { Metrics } from "../../metrics.js";
import type { Intake } from "../intake.js";
import { createAttendance } from "./attendance.js";
import { createCustody, custodyLimits } from "./custody.js";
import { readDelivery } from "./delivery.js";
import { jetStreamError } from "./failure.js";
import { startPuller } from "./puller.js";
import { createSettlements } from "./settlements.js";
import { ensureStream } from "./stream.js";
import { type ConsumerFigures, isStuck } from "./watchdog.js";

/** Takes batches from JetStream, for as long as it is open. It connects and reconnects by itself. */
export interface NatsIngest {
  /** What keeps it from taking batches at this moment: a code of the error catalogue. */
  trouble(): ErrorCode | undefined;
  /** What the server last said of the shared consumer; undefined while it says nothing. */
  figures(): ConsumerFigures | undefined;
  /** Takes no further message. */
  stopReading(): void;
  /** Gives back what is not committed, and leaves. */
  close(): Promise<void>;
}

export interface NatsIngestParts {
  readonly limits: IngestLimits;
  readonly intake: Intake;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Milliseconds. */
const timing = { inspect: 5000, retry: { first: 500, longest: 10_000 } } as const;

/**
 * Starts to take batches. That the server is not there yet is no failure; a file that is missing or damaged is one.
 * @throws FleetmarkError NATS_SECRET_INVALID, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function startNatsIngest(config: NatsIngestConfig, parts: NatsIngestParts): Promise<NatsIngest> {
  await checkNatsFiles(config);
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const { intake, metrics, logger } = parts;
  let reading = true;
  let trouble: FleetmarkError | undefined = new FleetmarkError("NATS_UNREACHABLE", "not connected yet");
  let complaint = "";
  const denied = new Set<string>();
  let figures: ConsumerFigures | undefined;
  let alive: NodeJS.Timeout | undefined;

  const publish = (subject: string, payload: Uint8Array | string): void => {
    // What can't be told now, the server and the agents find out by themselves: the one delivers again, the others send again.
    keeper.current()?.publish(subject, payload);
  };
  const custody = createCustody(publish);
  const settle = createSettlements(custody, publish);
  const attendance = createAttendance({
    ...parts,
    maxBatchBytes: parts.limits.max_batch_bytes,
    onAttach: () => metrics.agentsAttached.inc(),
    onDetach: () => metrics.agentsAttached.dec(),
  });

  /** Says what is wrong once, until it is something else. */
  const complain = (reason: FleetmarkError): void => {
    const said = `${reason.code} ${reason.message}`;
    const level = said === complaint ? "debug" : "error";
    complaint = said;
    logger[level]({ event: "nats_trouble", code: reason.code, remedy: reason.remedy }, reason.message);
  };
  const noteTrouble = (reason: FleetmarkError): void => {
    trouble = reason;
    complain(reason);
  };
  const noteWell = (): void => {
    if (trouble !== undefined) logger.info({ event: "nats_taking" }, "batches are taken from NATS");
    trouble = undefined;
    complaint = "";
  };

  const takeMessage = (message: Msg): void => {
    const { data, reply = "" } = message;
    const { key, deliveries } = readDelivery(reply);
    if (deliveries > 1) metrics.natsRedelivered.inc();
    const held = custody.take(key, data.length, reply);
    if (held === undefined) return;
    const token = message.subject.slice(message.subject.lastIndexOf(".") + 1);
    let host = token;
    try {
      host = readSubjectHost(message.subject);
    } catch {
      // A token that no agent writes is no host of any batch: the intake rejects what comes under it.
    }
    intake.takeBatch(data, { link: "nats", host }, (fate) => settle(held, host, fate));
  };

  /** Runs what takes a message, which must not end the subscription, whatever the message holds. */
  const guard = (take: (message: Msg) => void) => (error: Error | null, message: Msg) => {
    // A refused subscription is told as a denial.
    if (error !== null || !reading) return;
    try {
      take(message);
    } catch (thrown) {
      const known = thrown instanceof FleetmarkError;
      const code = known ? thrown.code : "INTERNAL";
      metrics.streamsRefused.inc({ code });
      logger[known ? "warn" : "error"]({ event: "message_refused", subject: message.subject, code }, errorMessage(thrown));
      message.respond("", { headers: refusal(code, errorMessage(thrown)) });
    }
  };
  const { createInbox, headers } = await import("@nats-io/transport-node");
  const refusal = (code: string, text: string) => {
    const all = headers();
    all.set("Fleetmark-Code", code);
    all.set("Fleetmark-Message", text.replaceAll(/[\r\n]+/g, " ").slice(0, 500));
    return all;
  };
  const listen = (connection: NatsConnection): void => {
    const answerHello = guard((message) => void message.respond(attendance.greet(message.subject, message.data)));
    connection.subscribe(natsSubjects("hello"), { callback: answerHello });
    const takeProgress = guard((message) => attendance.takeProgress(message.subject, message.data));
    connection.subscribe(natsSubjects("progress"), { callback: takeProgress });
  };

  const waitForRoom = (): Promise<void> | undefined => custody.waitForRoom() ?? intake.waitForRoom();

  /** Fetches until something ends it: with the reason. */
  const fetchAll = async (connection: NatsConnection, manager: JetStreamManager): Promise<FleetmarkError | undefined> => {
    const maxBytes = Math.max(custodyLimits.bytes / 2, 2 * (connection.info?.max_payload ?? 0));
    const puller = startPuller({
      connection,
      inbox: createInbox(collectorInboxPrefix),
      maxBytes,
      waitForRoom,
      take: takeMessage,
    });
    const inspect = async (): Promise<void> => {
      if (!reading) puller.stop();
      const { num_pending, num_ack_pending, num_redelivered } = await manager.consumers.info(natsStream, natsConsumer);
      figures = { pending: num_pending, ackPending: num_ack_pending, redelivered: num_redelivered };
      metrics.natsPending.set(num_pending);
      metrics.natsAckPending.set(num_ack_pending);
      if (!isStuck(figures, puller.isWaiting(), performance.now() - puller.lastMessageMs())) return;
      metrics.natsRebuilds.inc();
      logger.warn({ event: "nats_stuck", pending: num_pending }, "the server has batches and gave none for long; asking anew");
      puller.stop();
    };
    // A question that fails is no reason to stop: the fetching says itself when it can't go on.
    const timer = setInterval(() => void inspect().catch(() => {}), timing.inspect);
    stopPuller = puller.stop;
    void inspect().catch(() => {});
    const reason = await puller.ended;
    clearInterval(timer);
    return reason;
  };
  let stopPuller = (): void => {};

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(resolve, ms * (0.5 + Math.random())).unref();
    });

  /** Takes batches over one connection until it ends. */
  const serve = async (connection: NatsConnection): Promise<void> => {
    let waitMs: number = timing.retry.first;
    while (reading && !connection.isClosed()) {
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false });
        const ackWaitMs = await ensureStream(manager, config.stream, complain);
        noteWell();
        clearInterval(alive);
        // Well within the time after which the server would give a message to another collector.
        alive = setInterval(custody.keepAlive, Math.max(100, ackWaitMs / 3));
        const reason = await fetchAll(connection, manager);
        if (reason !== undefined) throw reason;
        waitMs = timing.retry.first;
      } catch (thrown) {
        // A connection that is gone says so itself.
        if (connection.isClosed() || !reading) return;
        noteTrouble(jetStreamError(thrown));
        await pause(waitMs);
        waitMs = Math.min(timing.retry.longest, waitMs * 2);
      }
    }
  };

  const keeper = keepNatsConnected({
    config,
    name: "fleetmark collector",
    inboxPrefix: collectorInboxPrefix,
    onUp: (connection) => {
      logger.info({ event: "nats_connected", server: connection.getServer() }, "connected to NATS");
      listen(connection);
      void serve(connection);
    },
    onDown: (reason) => {
      figures = undefined;
      noteTrouble(reason);
    },
    onDenied: (reason) => {
      // Each host may be denied something else; what was said already is not said again.
      if (denied.has(reason.message) || denied.size > 1000) return;
      denied.add(reason.message);
      logger.error({ event: "nats_denied", code: reason.code, remedy: reason.remedy }, reason.message);
    },
  });
  const sweeping = setInterval(() => attendance.sweep(readClockUs()), timing.inspect);

  return {
    trouble: () => trouble?.code,
    figures: () => figures,
    stopReading: () => {
      reading = false;
      stopPuller();
    },
    close: async () => {
      reading = false;
      stopPuller();
      clearInterval(alive);
      clearInterval(sweeping);
      custody.release();
      attendance.end();
      await keeper.close();
    },
  };
}
