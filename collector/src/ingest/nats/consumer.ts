import { errorMessage, type FleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { natsConsumer, natsStream, readSubjectHost } from "@fleetmark/shared/nats/subjects";
import { createPause, type Pause } from "@fleetmark/shared/waiting";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake } from "../intake.js";
import { type AckPublisher, publishFate } from "./ack-publisher.js";
import { readDelivery } from "./delivery-info.js";
import { jetStreamError } from "./failure.js";
import { type Fetch, startFetch } from "./fetch.js";
import { chargeHost, type HostBudgets } from "./host-budgets.js";
import { addMessage, delayMessage, extendAll, type InFlight, inFlightLimits } from "./in-flight.js";
import { clearObstacle, type Obstacle, setObstacle, warnOnce } from "./obstacle.js";
import { ensureStream, type NatsStreamConfig } from "./stream.js";
import { isStuck } from "./watchdog.js";

/** Milliseconds. */
const inspectMs = 5000;
/** Seconds; each wait is lengthened or shortened by up to half of it, by chance. */
const retry = { first: 0.5, longest: 10 } as const;

export interface ConsumerOptions {
  readonly config: NatsStreamConfig;
  readonly intake: Intake;
  readonly inFlight: InFlight;
  readonly acks: AckPublisher;
  readonly budgets: HostBudgets;
  readonly obstacle: Obstacle;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Makes a subject for answers that nobody else uses. */
  readonly makeInbox: () => string;
  readonly manage: (connection: NatsConnection) => Promise<JetStreamManager>;
}

/** The taking of batches over one connection. */
interface Consumer {
  readonly connection: NatsConnection;
  readonly options: ConsumerOptions;
  stopped: boolean;
  fetch: Fetch | undefined;
  readonly pause: Pause;
}

/**
 * Reads whose batch it is. A token that no agent writes is no host of any batch, and the intake rejects what comes
 * under it.
 */
function readHost(subject: string): string {
  try {
    return readSubjectHost(subject);
  } catch {
    return subject.slice(subject.lastIndexOf(".") + 1);
  }
}

/** @throws FleetmarkError NATS_FAILED when it is no delivery of JetStream */
function passToIntake({ intake, inFlight, acks, metrics, budgets }: ConsumerOptions, message: Msg): void {
  const reply = message.reply ?? "";
  const { key, deliveries } = readDelivery(reply);
  if (deliveries > 1) metrics.natsRedelivered.inc();
  const added = addMessage(inFlight, key, message.data.length, reply);
  if (added === undefined) return;
  const host = readHost(message.subject);
  const waitMs = deliveries > 1 ? 0 : chargeHost(budgets, host, message.data.length, performance.now());
  if (waitMs > 0) {
    metrics.hostsThrottled.inc();
    delayMessage(inFlight, added, waitMs);
    return;
  }
  intake.takeBatch(message.data, { link: "nats", host }, (fate) => publishFate(acks, added, host, fate));
}

function receiveBatch(options: ConsumerOptions, message: Msg): void {
  try {
    passToIntake(options, message);
  } catch (thrown) {
    const code = "PROTOCOL_VIOLATION";
    options.metrics.streamsRefused.inc({ code });
    options.logger.warn({ event: "message_refused", subject: message.subject, code }, errorMessage(thrown));
  }
}

/** Asks how much waits in the stream, and ends a fetch that is given none of it. */
async function inspectConsumer({ metrics, logger }: ConsumerOptions, manager: JetStreamManager, fetch: Fetch): Promise<void> {
  const { num_pending, num_ack_pending } = await manager.consumers.info(natsStream, natsConsumer);
  metrics.natsPending.set(num_pending);
  metrics.natsAckPending.set(num_ack_pending);
  if (!isStuck(num_pending, fetch.isWaiting(), performance.now() - fetch.lastMessageMs())) return;
  metrics.natsRebuilds.inc();
  logger.warn({ event: "nats_stuck", pending: num_pending }, "the server has batches and gave none for long; asking anew");
  await fetch.stop();
}

/** Asks for messages until something ends it: with the reason, or with undefined when it is to begin anew. */
async function fetchMessages(consumer: Consumer, manager: JetStreamManager): Promise<FleetmarkError | undefined> {
  const { connection, options } = consumer;
  const { inFlight, intake } = options;
  const fetch = startFetch({
    connection,
    inbox: options.makeInbox(),
    maxBytes: Math.max(inFlightLimits.bytes / 2, 2 * (connection.info?.max_payload ?? 0)),
    waitForRoom: () => inFlight.room.wait() ?? intake.waitForRoom(),
    receive: (message) => receiveBatch(options, message),
  });
  consumer.fetch = fetch;
  // A question that fails is no reason to stop: the asking says itself when it can't go on.
  const inspect = (): void => void inspectConsumer(options, manager, fetch).catch(() => {});
  inspect();
  const inspecting = setInterval(inspect, inspectMs);
  const reason = await fetch.ended;
  clearInterval(inspecting);
  return reason;
}

/** Finds or makes the stream and the consumer, and takes batches. Throws what went wrong. */
async function consume(consumer: Consumer): Promise<void> {
  const { connection, options } = consumer;
  const manager = await options.manage(connection);
  const ackWaitMs = await ensureStream(manager, options.config, (difference) => warnOnce(options.obstacle, difference));
  if (consumer.stopped) return;
  clearObstacle(options.obstacle);
  // Well within the time after which the server would give a message to another collector.
  const extending = setInterval(() => extendAll(options.inFlight), Math.max(100, ackWaitMs / 3));
  const reason = await fetchMessages(consumer, manager);
  clearInterval(extending);
  if (reason !== undefined) throw reason;
}

async function runConsumer(consumer: Consumer): Promise<void> {
  const { connection, options, pause } = consumer;
  let wait: number = retry.first;
  while (!consumer.stopped && !connection.isClosed()) {
    try {
      await consume(consumer);
      wait = retry.first;
    } catch (thrown) {
      // A connection that is gone says so itself.
      if (consumer.stopped || connection.isClosed()) return;
      setObstacle(options.obstacle, jetStreamError(thrown));
      await pause.wait(wait * (0.5 + Math.random()));
      wait = Math.min(retry.longest, wait * 2);
    }
  }
}

/**
 * Takes batches until the connection ends: finds or makes the stream and the consumer, asks for messages, and begins
 * anew whenever that goes wrong or is stuck. Stopped, it takes no further message; a question to the server that is
 * under way ends with the connection.
 */
export function startConsumer(connection: NatsConnection, options: ConsumerOptions): Running {
  const consumer: Consumer = { connection, options, stopped: false, fetch: undefined, pause: createPause() };
  void runConsumer(consumer);
  return {
    stop: async () => {
      consumer.stopped = true;
      consumer.pause.end();
      await consumer.fetch?.stop();
    },
  };
}
