import type { ErrorCode } from "@fleetmark/shared/errors";
import type { CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { NatsConfig } from "@fleetmark/shared/nats/config";
import { checkNatsFiles, keepNatsConnected, type NatsKeeper, type NatsLibrary } from "@fleetmark/shared/nats/connection";
import { collectorInboxPrefix } from "@fleetmark/shared/nats/subjects";
import type { NatsConnection } from "@nats-io/transport-node";
import { detachSilentHosts, leaveLink, type Presence } from "../../fleet/presence.js";
import { readClockUs } from "../../platform/clock.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake, Source } from "../intake.js";
import type { IngestLimits } from "../limits.js";
import { type AckPublisher, createAckPublisher } from "./ack-publisher.js";
import { type ConsumerOptions, startConsumer } from "./consumer.js";
import { createHostBudgets, forgetPaid, type HostBudgets } from "./host-budgets.js";
import { createInFlight, type InFlight, releaseAll } from "./in-flight.js";
import { createObstacle, type Obstacle, setObstacle, warnOnce } from "./obstacle.js";
import { listenToAgents } from "./requests.js";
import type { NatsStreamConfig } from "./stream.js";

/**
 * How batches come over NATS JetStream, and how the parts meet:
 *
 *     the connection, which is kept up by shared/nats/connection.ts
 *        │
 *        ├── requests.ts   Hello, progress, results of commands ──► presence, intake, commands
 *        │
 *        └── consumer.ts   finds or makes the stream (stream.ts), then asks for messages (fetch.ts),
 *               │          anew when that is stuck (watchdog.ts); says once what is in the way (obstacle.ts)
 *               │ message
 *               ▼
 *            in-flight.ts ──► intake ──► fate ──► ack-publisher.ts ──► Ack to the agent, then the answer to the server
 *            (each message is kept alive meanwhile, or the server would give it to another collector; that of a host
 *            which sends too much goes back for a while: host-budgets.ts)
 *
 * What is in flight, and which hosts are present, outlives a connection.
 */

export interface NatsIngestConfig extends NatsConfig {
  readonly stream: NatsStreamConfig;
}

export interface NatsIngestOptions {
  readonly config: NatsIngestConfig;
  readonly limits: Pick<IngestLimits, "bytes_per_second_per_host">;
  readonly intake: Intake;
  readonly presence: Presence;
  readonly receiveResult: (source: Source, result: CommandResult) => void;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/**
 * Takes batches from JetStream. It connects and reconnects by itself. Stopped, it gives back what is not committed,
 * and leaves.
 */
export interface NatsIngest extends Running {
  /** The code of what keeps it from taking batches at this moment. */
  findObstacle(): ErrorCode | undefined;
  /** Takes no further message. */
  stopReading(): void;
}

/** What outlives a connection. */
interface NatsState {
  readonly options: NatsIngestOptions;
  readonly library: NatsLibrary;
  readonly manage: ConsumerOptions["manage"];
  readonly publish: (subject: string, payload: Uint8Array | string) => void;
  readonly inFlight: InFlight;
  readonly acks: AckPublisher;
  readonly budgets: HostBudgets;
  readonly obstacle: Obstacle;
  reading: boolean;
  /** That of the latest connection. */
  consumer: Running | undefined;
}

const sweepMs = 5000;

/** Serves agents over a connection that is up. Everything that was subscribed on the one before went with it. */
function serveConnection(state: NatsState, connection: NatsConnection): void {
  const { options, library, manage, publish, inFlight, acks, budgets, obstacle } = state;
  const { config, intake, presence, receiveResult, metrics, logger } = options;
  if (!state.reading) return;
  logger.info({ event: "nats_connected", server: connection.getServer() }, "connected to NATS");
  listenToAgents(connection, { presence, intake, receiveResult, publish, metrics, logger, makeHeaders: library.headers });
  state.consumer = startConsumer(connection, {
    config: config.stream,
    intake,
    inFlight,
    acks,
    budgets,
    obstacle,
    metrics,
    logger,
    makeInbox: () => library.createInbox(collectorInboxPrefix),
    manage,
  });
}

function connect(state: NatsState): NatsKeeper {
  const { options, library, obstacle } = state;
  return keepNatsConnected({
    library,
    config: options.config,
    name: "fleetmark collector",
    inboxPrefix: collectorInboxPrefix,
    onUp: (connection) => serveConnection(state, connection),
    onDown: (reason) => setObstacle(obstacle, reason),
    onDenied: (reason) => warnOnce(obstacle, reason),
  });
}

/**
 * Starts to take batches. That the server is not there yet is no failure; a file that is missing or damaged is one.
 * @throws FleetmarkError NATS_SECRET_INVALID, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function startNatsIngest(options: NatsIngestOptions): Promise<NatsIngest> {
  // Loaded here, for a collector without NATS does without their memory.
  const [library, { jetstreamManager }] = await Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]);
  const { config, presence, metrics, logger } = options;
  checkNatsFiles(config, library);
  // What can't be told now, the server and the agents find out by themselves: the one delivers again, the others send
  // again.
  const publish: NatsState["publish"] = (subject, payload) => {
    const connection = keeper.current();
    if (connection?.isClosed() === false) connection.publish(subject, payload);
  };
  const inFlight = createInFlight(publish);
  const state: NatsState = {
    options,
    library,
    manage: (connection) => jetstreamManager(connection, { checkAPI: false }),
    publish,
    inFlight,
    acks: createAckPublisher(inFlight, publish),
    budgets: createHostBudgets(options.limits.bytes_per_second_per_host),
    obstacle: createObstacle(metrics, logger),
    reading: true,
    consumer: undefined,
  };
  const keeper = connect(state);
  const sweeping = setInterval(() => {
    detachSilentHosts(presence, readClockUs());
    forgetPaid(state.budgets, performance.now());
  }, sweepMs);
  const stopReading = (): void => {
    state.reading = false;
    void state.consumer?.stop();
  };
  return {
    findObstacle: () => state.obstacle.code,
    stopReading,
    stop: once(async () => {
      stopReading();
      clearInterval(sweeping);
      releaseAll(inFlight);
      leaveLink(presence, "nats");
      await keeper.stop();
    }),
  };
}
