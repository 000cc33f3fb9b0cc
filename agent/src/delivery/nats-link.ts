import { create } from "@bufbuild/protobuf";
import { chooseBackoff } from "@fleetmark/shared/backoff";
import { batchKey } from "@fleetmark/shared/batch";
import { decodeBatchId } from "@fleetmark/shared/batch-decoder";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Ack, AgentFrameSchema, type Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsInboxPrefix, natsSubject } from "@fleetmark/shared/nats";
import type { NatsConfig } from "@fleetmark/shared/nats-config";
import { keepNatsConnected } from "@fleetmark/shared/nats-connection";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import type { ClockOffsetMeter } from "./clock-offset.js";
import type { DeliveryCounts } from "./counts.js";
import type { Introduction, Link, RunProgress } from "./link.js";
import { checkWelcome, sayHello } from "./nats-greeting.js";
import { askPosition, explainPublishFailure, type NatsLibrary, publishToStream } from "./nats-publish.js";
import { createTransits, defaultPatience, nameMessage, type Transit, type TransitPatience } from "./nats-transits.js";
import { batchLimits } from "./recorder.js";
import type { Sender } from "./sender.js";

/** Milliseconds. */
export interface NatsTiming extends TransitPatience {
  /** Between two looks for batches of which no word came. */
  readonly look: number;
  /** From a reconnect to the question what its gap has swallowed. */
  readonly settle: number;
  /** Between Hellos, by which collectors know that this host is there. */
  readonly hello: number;
}

const defaultTiming: NatsTiming = { ...defaultPatience, look: 10_000, settle: 3000, hello: 60_000 };

export interface NatsLinkOptions {
  readonly library: NatsLibrary;
  readonly config: NatsConfig;
  readonly introduction: Introduction;
  readonly sender: Sender;
  readonly counts: DeliveryCounts;
  readonly clockOffset: ClockOffsetMeter;
  readonly logger: Logger;
  readonly timing?: NatsTiming;
}

/** What a message's headers and subject may take of the server's max_payload. */
const payloadAllowance = 4096;

/** Seconds. */
const longestHelloWait = 30;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

/**
 * Opens the link over NATS JetStream. Batches are put into the stream, from which collectors take them; what the stream has is not
 * released, only what a collector has acknowledged. It never gives up; what it meets is logged when it changes.
 */
export function openNatsLink(options: NatsLinkOptions): Link {
  const { library, sender, counts, introduction, config } = options;
  const timing = options.timing ?? defaultTiming;
  const logger = options.logger.child({ link: "nats" });
  const { host } = introduction;
  const batchSubject = natsSubject("batch", host);
  const transits = createTransits(timing);
  let begun = false;
  let ups = 0;
  let publishing = 0;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let complaint = "";
  let violated = false;
  /** Why nothing is to be published over this connection, though it is up. */
  let obstacle: FleetmarkError | undefined;
  let progress: RunProgress | undefined;
  let asking = false;
  let askAgainMs = 0;
  let askWaitMs = timing.silence;

  const complain = (reason: FleetmarkError): void => {
    const said = `${reason.code} ${reason.message}`;
    const level = said === complaint ? "debug" : reason.code === "NATS_UNREACHABLE" ? "warn" : "error";
    complaint = said;
    logger[level]({ event: "link_down", code: reason.code, remedy: reason.remedy }, reason.message);
  };

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
      const sequence = await publishToStream(connection, library, batchSubject, nameMessage(transit), transit.parcel.bytes);
      transits.store(transit, sequence, performance.now());
      if (failures > 0) logger.info({ event: "stream_takes" }, "the stream takes batches again");
      failures = 0;
    } catch (thrown) {
      // A connection that is gone says so itself.
      if (keeper.current() !== connection || connection.isClosed()) return;
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
    const connection = keeper.current();
    if (connection === undefined || obstacle !== undefined || !begun) return;
    // After a failure one batch finds out whether the stream takes any.
    while (retry === undefined && (failures === 0 || publishing === 0)) {
      const transit = takeNext();
      if (transit === undefined) return;
      void publish(connection, transit);
    }
  };

  const violate = (message: string): void => {
    counts.violations++;
    logger[violated ? "debug" : "warn"]({ event: "frame_ignored", code: "PROTOCOL_VIOLATION" }, message);
    violated = true;
  };

  const settle = (ack: Ack): void => {
    sender.settle(ack);
    askWaitMs = timing.silence;
    for (const id of [...ack.committed, ...ack.rejected.map(({ id }) => id)]) transits.settle(batchKey(decodeBatchId(id)));
    pump();
  };

  const receive = (bytes: Uint8Array): void => {
    try {
      const { frame } = decodeCollectorFrame(bytes);
      if (frame.case === "ack") settle(frame.value);
      else violate(`an unexpected ${frame.case}`);
    } catch (thrown) {
      violate(errorMessage(thrown));
    }
  };

  const sendProgress = (connection: NatsConnection): void => {
    if (progress === undefined) return;
    const [elapsedS, remainingS] = [progress.elapsedS, progress.remainingS].map((s) => (Number.isFinite(s) ? s : 0));
    const frame = { case: "progress" as const, value: { ...progress, elapsedS, remainingS } };
    connection.publish(natsSubject("progress", host), encodeAgentFrame(create(AgentFrameSchema, { frame })));
  };

  const meet = (connection: NatsConnection, welcome: Welcome, first: boolean): void => {
    const mismatch = checkWelcome(welcome);
    if (mismatch !== undefined) {
      obstacle = mismatch;
      complain(mismatch);
      return;
    }
    if (obstacle?.code === "PROTOCOL_MISMATCH") obstacle = undefined;
    if (first) logger.info({ event: "link_up", collector_version: welcome.collectorVersion, server: connection.getServer() });
    sendProgress(connection);
    pump();
  };

  /** Says Hello until a collector is there, and then again and again, for as long as the connection lasts. */
  const greet = async (connection: NatsConnection): Promise<void> => {
    let first = true;
    for (let attempt = 0; keeper.current() === connection; attempt++) {
      let waitMs = Math.min(longestHelloWait, 2 ** attempt) * 1000;
      try {
        const question = options.clockOffset.ask();
        const welcome = await sayHello(connection, introduction);
        if (welcome.clock !== undefined) options.clockOffset.settle(question, welcome.clock);
        meet(connection, welcome, first);
        first = false;
        waitMs = timing.hello;
      } catch (thrown) {
        if (thrown instanceof FleetmarkError) complain(thrown);
        else logger.debug({ event: "no_collector" }, errorMessage(thrown));
      }
      await pause(waitMs * (0.75 + Math.random() / 2));
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
      if (lost.length > 0)
        logger.warn({ event: "acks_lost", batches: lost.length }, "collectors are done with batches, and no word came");
      pump();
    } catch (thrown) {
      logger.debug({ event: "position_unknown" }, errorMessage(thrown));
    }
    asking = false;
  };

  const look = (): void => {
    const connection = keeper.current();
    const nowMs = performance.now();
    if (connection === undefined || nowMs < askAgainMs || !transits.isSilent(nowMs)) return;
    // The backlog of collectors that are away for hours is not asked after every few seconds.
    askAgainMs = nowMs + askWaitMs;
    askWaitMs = Math.min(10 * timing.silence, askWaitMs * 2);
    void ask(connection, false);
  };

  const checkPayload = (connection: NatsConnection): FleetmarkError | undefined => {
    const limit = connection.info?.max_payload ?? 0;
    if (limit >= batchLimits.bytes + payloadAllowance) return undefined;
    const message = `the NATS server takes messages of ${limit} bytes, and a batch has up to ${batchLimits.bytes}`;
    return new FleetmarkError("NATS_PAYLOAD_LIMIT", message);
  };

  const keeper = keepNatsConnected({
    config,
    name: `fleetmark agent ${host}`,
    inboxPrefix: natsInboxPrefix(host),
    onUp: (connection) => {
      if (ups++ > 0) counts.reconnects++;
      failures = 0;
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
      // Acknowledgements that came while the connection was gone have found nobody; and which stream it is must be known, to tell
      // later whether it is another. A fleet that comes back does not ask in one moment.
      const askOnce = (): void => {
        if (keeper.current() === connection) void ask(connection, true);
      };
      setTimeout(askOnce, timing.settle * (1 + Math.random())).unref();
      void greet(connection);
      pump();
    },
    onDown: (reason) => {
      transits.failAll();
      complain(reason);
    },
    onDenied: complain,
  });
  const looking = setInterval(look, timing.look);

  return {
    wake: pump,
    report: (latest) => {
      progress = latest;
      const connection = keeper.current();
      if (connection !== undefined) sendProgress(connection);
    },
    close: async () => {
      clearInterval(looking);
      clearTimeout(retry);
      obstacle = new FleetmarkError("NATS_UNREACHABLE", "closed");
      await keeper.close();
    },
  };
}
