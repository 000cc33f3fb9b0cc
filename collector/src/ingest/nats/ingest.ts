import type { ErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { checkNatsFiles, keepNatsConnected } from "@fleetmark/shared/nats/connection";
import { collectorInboxPrefix } from "@fleetmark/shared/nats/subjects";
import type { IngestLimits, NatsIngestConfig } from "../../config.js";
import type { Fleet } from "../../fleet/fleet.js";
import { readClockUs } from "../../platform/clock.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake } from "../intake.js";
import { createSettlements } from "./ack-publisher.js";
import { startTaking, type Taking } from "./consumer.js";
import { createCustody } from "./in-flight.js";
import { createAttendance } from "./presence.js";
import { receiveAgents } from "./requests.js";
import { createTrouble } from "./trouble.js";

/** Takes batches from JetStream, for as long as it is open. It connects and reconnects by itself. */
export interface NatsIngest {
  /** What keeps it from taking batches at this moment. */
  trouble(): ErrorCode | undefined;
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

const sweepMs = 5000;

/**
 * Starts to take batches. That the server is not there yet is no failure; a file that is missing or damaged is one.
 * @throws FleetmarkError NATS_SECRET_INVALID, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function startNatsIngest(config: NatsIngestConfig, parts: NatsIngestParts): Promise<NatsIngest> {
  // Loaded here, for a collector without NATS does without their memory.
  const [library, { jetstreamManager }] = await Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]);
  checkNatsFiles(config, library);
  const { metrics, logger } = parts;
  let taking: Taking | undefined;
  let reading = true;

  const trouble = createTrouble(metrics, logger);
  const publish = (subject: string, payload: Uint8Array | string): void => {
    // What can't be told now, the server and the agents find out by themselves: the one delivers again, the others send again.
    keeper.current()?.publish(subject, payload);
  };
  const custody = createCustody(publish);
  const attendance = createAttendance({
    ...parts,
    maxBatchBytes: parts.limits.max_batch_bytes,
    onAttach: () => metrics.agentsAttached.inc(),
    onDetach: () => metrics.agentsAttached.dec(),
  });
  const takingParts = {
    ...parts,
    ...{ config: config.stream, custody, trouble, settle: createSettlements(custody, publish) },
    makeInbox: () => library.createInbox(collectorInboxPrefix),
    manage: (connection: Parameters<typeof jetstreamManager>[0]) => jetstreamManager(connection, { checkAPI: false }),
  };

  const keeper = keepNatsConnected({
    library,
    config,
    name: "fleetmark collector",
    inboxPrefix: collectorInboxPrefix,
    onUp: (connection) => {
      if (!reading) return;
      logger.info({ event: "nats_connected", server: connection.getServer() }, "connected to NATS");
      receiveAgents(connection, { attendance, metrics, logger, makeHeaders: library.headers });
      taking = startTaking(connection, takingParts);
    },
    onDown: trouble.note,
    onDenied: trouble.warn,
  });
  const sweeping = setInterval(() => attendance.sweep(readClockUs()), sweepMs);

  const stopReading = (): void => {
    reading = false;
    taking?.stop();
  };
  return {
    trouble: trouble.current,
    stopReading,
    close: async () => {
      stopReading();
      clearInterval(sweeping);
      custody.release();
      attendance.end();
      await keeper.close();
    },
  };
}
