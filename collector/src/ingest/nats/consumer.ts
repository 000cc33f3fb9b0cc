import { setTimeout as pause } from "node:timers/promises";
import { errorMessage, type FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { natsConsumer, natsStream, readSubjectHost } from "@fleetmark/shared/nats/subjects";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { NatsIngestConfig } from "../../config.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake } from "../intake.js";
import type { createSettlements } from "./ack-publisher.js";
import { readDelivery } from "./delivery-info.js";
import { jetStreamError } from "./failure.js";
import { startPuller } from "./fetch.js";
import { type Custody, custodyLimits } from "./in-flight.js";
import { ensureStream } from "./stream.js";
import type { Trouble } from "./trouble.js";
import { isStuck } from "./watchdog.js";

/** Milliseconds. */
const inspectMs = 5000;
const retryMs = { first: 500, longest: 10_000 } as const;

export interface TakingParts {
  readonly config: NatsIngestConfig["stream"];
  readonly intake: Intake;
  readonly custody: Custody;
  readonly settle: ReturnType<typeof createSettlements>;
  readonly trouble: Trouble;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Makes a subject for answers that nobody else uses. */
  readonly makeInbox: () => string;
  readonly manage: (connection: NatsConnection) => Promise<JetStreamManager>;
}

/** Takes batches over one connection. */
export interface Taking {
  stop(): void;
}

/** Reads whose batch it is. A token that no agent writes is no host of any batch, and the intake rejects what comes under it. */
function readHost(subject: string): string {
  try {
    return readSubjectHost(subject);
  } catch {
    return subject.slice(subject.lastIndexOf(".") + 1);
  }
}

/**
 * Takes batches until the connection ends: finds or makes the stream and the consumer, asks for messages, and begins anew whenever that
 * goes wrong or is stuck.
 */
export function startTaking(connection: NatsConnection, parts: TakingParts): Taking {
  const { intake, custody, settle, trouble, metrics, logger } = parts;
  let stopped = false;
  let stopPuller = (): void => {};

  const takeMessage = (message: Msg): void => {
    const { key, deliveries } = readDelivery(message.reply ?? "");
    if (deliveries > 1) metrics.natsRedelivered.inc();
    const held = custody.take(key, message.data.length, message.reply ?? "");
    if (held === undefined) return;
    const host = readHost(message.subject);
    intake.takeBatch(message.data, { link: "nats", host }, (fate) => settle(held, host, fate));
  };
  const take = (message: Msg): void => {
    try {
      takeMessage(message);
    } catch (thrown) {
      metrics.streamsRefused.inc({ code: "PROTOCOL_VIOLATION" });
      logger.warn({ event: "message_refused", subject: message.subject, code: "PROTOCOL_VIOLATION" }, errorMessage(thrown));
    }
  };

  /** Asks for messages until something ends it: with the reason, or with undefined when it is to begin anew. */
  const pullAll = async (manager: JetStreamManager): Promise<FleetmarkError | undefined> => {
    const puller = startPuller({
      connection,
      inbox: parts.makeInbox(),
      maxBytes: Math.max(custodyLimits.bytes / 2, 2 * (connection.info?.max_payload ?? 0)),
      waitForRoom: () => custody.waitForRoom() ?? intake.waitForRoom(),
      take,
    });
    stopPuller = puller.stop;
    const inspect = async (): Promise<void> => {
      const { num_pending, num_ack_pending } = await manager.consumers.info(natsStream, natsConsumer);
      metrics.natsPending.set(num_pending);
      metrics.natsAckPending.set(num_ack_pending);
      if (!isStuck(num_pending, puller.isWaiting(), performance.now() - puller.lastMessageMs())) return;
      metrics.natsRebuilds.inc();
      logger.warn({ event: "nats_stuck", pending: num_pending }, "the server has batches and gave none for long; asking anew");
      puller.stop();
    };
    // A question that fails is no reason to stop: the asking says itself when it can't go on.
    const inspectQuietly = (): void => void inspect().catch(() => {});
    inspectQuietly();
    const inspecting = setInterval(inspectQuietly, inspectMs);
    const reason = await puller.ended;
    clearInterval(inspecting);
    return reason;
  };

  /** Does all of it once. Throws what went wrong. */
  const takeOnce = async (): Promise<void> => {
    const manager = await parts.manage(connection);
    const ackWaitMs = await ensureStream(manager, parts.config, trouble.warn);
    trouble.end();
    // Well within the time after which the server would give a message to another collector.
    const alive = setInterval(custody.keepAlive, Math.max(100, ackWaitMs / 3));
    const reason = await pullAll(manager);
    clearInterval(alive);
    if (reason !== undefined) throw reason;
  };

  const run = async (): Promise<void> => {
    let waitMs: number = retryMs.first;
    while (!stopped && !connection.isClosed()) {
      try {
        await takeOnce();
        waitMs = retryMs.first;
      } catch (thrown) {
        // A connection that is gone says so itself.
        if (stopped || connection.isClosed()) return;
        trouble.note(jetStreamError(thrown));
        await pause(waitMs * (0.5 + Math.random()), undefined, { ref: false });
        waitMs = Math.min(retryMs.longest, waitMs * 2);
      }
    }
  };
  void run();

  return {
    stop: () => {
      stopped = true;
      stopPuller();
    },
  };
}
