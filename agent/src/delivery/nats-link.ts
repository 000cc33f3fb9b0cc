import { create } from "@bufbuild/protobuf";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { AgentFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { NatsConfig } from "@fleetmark/shared/nats/config";
import type { NatsLibrary } from "@fleetmark/shared/nats/connection";
import { keepNatsConnected } from "@fleetmark/shared/nats/connection";
import { natsInboxPrefix, natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Link, LinkParts, RunProgress } from "./link.js";
import { type CarrierTiming, createCarrier } from "./nats-carrier.js";
import { keepGreeting } from "./nats-greeting.js";
import { defaultPatience } from "./nats-transits.js";
import { batchLimits } from "./recorder.js";

/** Milliseconds. */
export interface NatsTiming extends CarrierTiming {
  /** Between Hellos, by which collectors know that this host is there. */
  readonly hello: number;
}

const defaultTiming: NatsTiming = { ...defaultPatience, look: 10_000, settle: 3000, hello: 60_000 };

export interface NatsLinkOptions extends LinkParts {
  readonly library: NatsLibrary;
  readonly config: NatsConfig;
  readonly timing?: NatsTiming;
}

/** What a message's headers and subject may take of the server's max_payload. */
const payloadAllowance = 4096;

/** A server that takes no whole batch is of no use, though smaller ones would pass: results would wait for ever behind telemetry. */
function checkPayload(connection: NatsConnection): FleetmarkError | undefined {
  const limit = connection.info?.max_payload ?? 0;
  if (limit >= batchLimits.bytes + payloadAllowance) return undefined;
  const message = `the NATS server takes messages of ${limit} bytes, and a batch has up to ${batchLimits.bytes}`;
  return new FleetmarkError("NATS_PAYLOAD_LIMIT", message);
}

/**
 * Opens the link over NATS JetStream. Batches are put into the stream, from which collectors take them; what the stream has is not
 * released, only what a collector has acknowledged. It never gives up; what it meets is logged when it changes.
 */
export function openNatsLink(options: NatsLinkOptions): Link {
  const { library, sender, counts, clockOffset, introduction, config } = options;
  const timing = options.timing ?? defaultTiming;
  const logger = options.logger.child({ link: "nats" });
  const { host } = introduction;
  let begun = false;
  let ups = 0;
  let complaint = "";
  let violated = false;
  /** Why nothing is to be published over this connection, though it is up. */
  let obstacle: FleetmarkError | undefined;
  let progress: RunProgress | undefined;

  const complain = (reason: FleetmarkError): void => {
    const said = `${reason.code} ${reason.message}`;
    const level = said === complaint ? "debug" : reason.code === "NATS_UNREACHABLE" ? "warn" : "error";
    complaint = said;
    logger[level]({ event: "link_down", code: reason.code, remedy: reason.remedy }, reason.message);
  };
  const violate = (message: string): void => {
    counts.violations++;
    logger[violated ? "debug" : "warn"]({ event: "frame_ignored", code: "PROTOCOL_VIOLATION" }, message);
    violated = true;
  };

  const carrier = createCarrier({
    ...{ library, host, sender, counts, timing, logger, complain },
    findConnection: () => (begun && obstacle === undefined ? keeper.current() : undefined),
  });

  const receive = (bytes: Uint8Array): void => {
    try {
      const { frame } = decodeCollectorFrame(bytes);
      if (frame.case === "ack") carrier.settle(frame.value);
      else violate(`an unexpected ${frame.case}`);
    } catch (thrown) {
      violate(errorMessage(thrown));
    }
  };

  const sendProgress = (): void => {
    const connection = keeper.current();
    if (progress === undefined || connection === undefined) return;
    const [elapsedS, remainingS] = [progress.elapsedS, progress.remainingS].map((s) => (Number.isFinite(s) ? s : 0));
    const frame = { case: "progress" as const, value: { ...progress, elapsedS, remainingS } };
    connection.publish(natsSubject("progress", host), encodeAgentFrame(create(AgentFrameSchema, { frame })));
  };

  const greet = (connection: NatsConnection): void => {
    let met = false;
    void keepGreeting(connection, {
      ...{ introduction, clockOffset, intervalMs: timing.hello, logger },
      isWanted: () => keeper.current() === connection,
      onWelcome: ({ collectorVersion }) => {
        if (obstacle?.code === "PROTOCOL_MISMATCH") obstacle = undefined;
        if (!met) logger.info({ event: "link_up", collector_version: collectorVersion, server: connection.getServer() });
        met = true;
        sendProgress();
        carrier.pump();
      },
      onRefusal: (reason) => {
        if (reason.code === "PROTOCOL_MISMATCH") obstacle = reason;
        complain(reason);
      },
    });
  };

  const keeper = keepNatsConnected({
    library,
    config,
    name: `fleetmark agent ${host}`,
    inboxPrefix: natsInboxPrefix(host),
    onUp: (connection) => {
      if (ups++ > 0) counts.reconnects++;
      obstacle = checkPayload(connection);
      if (obstacle !== undefined) {
        complain(obstacle);
        return;
      }
      complaint = "";
      logger.info({ event: "nats_connected", server: connection.getServer() });
      connection.subscribe(natsSubject("ack", host), {
        callback: (error, message) => {
          // A refused subscription is told as a denial.
          if (error === null) receive(message.data);
        },
      });
      if (!begun) sender.begin((connection.info?.max_payload ?? 0) - payloadAllowance);
      begun = true;
      greet(connection);
      carrier.begin(connection);
    },
    onDown: (reason) => {
      carrier.interrupt();
      complain(reason);
    },
    onDenied: complain,
  });

  return {
    wake: carrier.pump,
    report: (latest) => {
      progress = latest;
      sendProgress();
    },
    close: async () => {
      obstacle = new FleetmarkError("NATS_UNREACHABLE", "closed");
      carrier.close();
      await keeper.stop();
    },
  };
}
