import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { AgentFrameSchema, type Command, type Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { once } from "@fleetmark/shared/lifecycle";
import { addFields, type Logger } from "@fleetmark/shared/log";
import type { HostProgress } from "@fleetmark/shared/model/progress";
import type { NatsConfig } from "@fleetmark/shared/nats/config";
import { keepNatsConnected, type NatsKeeper, type NatsLibrary } from "@fleetmark/shared/nats/connection";
import { type NatsSubject, natsInboxPrefix, natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { encodeProgress } from "@fleetmark/shared/wire/progress";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Link } from "../delivery/link.js";
import { batchLimits } from "../delivery/recorder.js";
import type { LinkOptions } from "./link-options.js";
import { keepGreeting } from "./nats-greeting.js";
import { defaultPatience } from "./nats-in-flight.js";
import {
  acknowledgePublished,
  dropConnection,
  type Publisher,
  type PublisherTiming,
  publishDue,
  startPublisher,
  stopPublisher,
  useConnection,
} from "./nats-publisher.js";

/** Milliseconds. */
export interface NatsTiming extends PublisherTiming {
  /** Between Hellos, by which collectors know that this host is there. */
  readonly hello: number;
}

const defaultTiming: NatsTiming = { ...defaultPatience, look: 10_000, gap: 3000, hello: 60_000 };

export interface NatsLinkOptions extends LinkOptions {
  readonly library: NatsLibrary;
  readonly config: NatsConfig;
  readonly timing?: NatsTiming;
}

interface NatsLinkState {
  readonly options: NatsLinkOptions;
  readonly timing: NatsTiming;
  readonly logger: Logger;
  readonly keeper: NatsKeeper;
  readonly publisher: Publisher;
  /** Whether the window was told what the server takes. */
  begun: boolean;
  /** How often a connection came up. */
  ups: number;
  /** What was complained of last, and is not said again at the same level. */
  complaint: string;
  violated: boolean;
  /** Why nothing is to be published over this connection, though it is up. */
  obstacle: FleetmarkError | undefined;
  progress: HostProgress | undefined;
}

/** What a message's headers and subject may take of the server's max_payload. */
const payloadAllowance = 4096;

/**
 * A server that takes no whole batch is of no use, though smaller ones would pass: results would wait for ever behind
 * telemetry.
 */
function checkPayload(connection: NatsConnection): FleetmarkError | undefined {
  const limit = connection.info?.max_payload ?? 0;
  if (limit >= batchLimits.bytes + payloadAllowance) return undefined;
  const message = `the NATS server takes messages of ${limit} bytes, and a batch has up to ${batchLimits.bytes}`;
  return new FleetmarkError("NATS_PAYLOAD_LIMIT", message);
}

/** Refusals that stay until a person mends them: nothing is published meanwhile. */
const lastingCodes: readonly (string | undefined)[] = ["PROTOCOL_MISMATCH", "HOST_NAME_TAKEN"];

function complain(link: NatsLinkState, reason: FleetmarkError): void {
  const said = `${reason.code} ${reason.message}`;
  const level = said === link.complaint ? "debug" : reason.code === "NATS_UNREACHABLE" ? "warn" : "error";
  link.complaint = said;
  link.logger[level]({ event: "link_down", code: reason.code, remedy: reason.remedy }, reason.message);
}

function countViolation(link: NatsLinkState, message: string): void {
  link.options.counts.violations++;
  link.logger[link.violated ? "debug" : "warn"]({ event: "frame_ignored", code: "PROTOCOL_VIOLATION" }, message);
  link.violated = true;
}

/** Publishes a frame to collectors, if there is a connection. */
function publishFrame(
  { keeper, options }: NatsLinkState,
  kind: NatsSubject,
  frame: MessageInitShape<typeof AgentFrameSchema>["frame"],
): void {
  const subject = natsSubject(kind, options.introduction.host);
  keeper.current()?.publish(subject, encodeAgentFrame(create(AgentFrameSchema, { frame })));
}

function publishProgress(link: NatsLinkState): void {
  if (link.progress !== undefined) publishFrame(link, "progress", { case: "progress", value: encodeProgress(link.progress) });
}

async function answerCommand(link: NatsLinkState, command: Command): Promise<void> {
  const { onCommand } = link.options;
  if (onCommand === undefined) countViolation(link, "an unexpected command");
  else publishFrame(link, "command_result", { case: "commandResult", value: await onCommand(command) });
}

function receiveBytes(link: NatsLinkState, expected: "ack" | "command", bytes: Uint8Array): void {
  try {
    const { frame } = decodeCollectorFrame(bytes);
    if (frame.case === "ack" && expected === "ack") acknowledgePublished(link.publisher, frame.value);
    else if (frame.case === "command" && expected === "command") {
      // A connection that goes meanwhile takes the answer with it, and the collector asks again.
      answerCommand(link, frame.value).catch(() => {});
    } else countViolation(link, `an unexpected ${frame.case}`);
  } catch (thrown) {
    countViolation(link, errorMessage(thrown));
  }
}

function subscribe(link: NatsLinkState, connection: NatsConnection, kind: "ack" | "command"): void {
  connection.subscribe(natsSubject(kind, link.options.introduction.host), {
    callback: (error, message) => {
      // A refused subscription is told as a denial.
      if (error === null) receiveBytes(link, kind, message.data);
    },
  });
}

function noticeWelcome(link: NatsLinkState, connection: NatsConnection, { collectorVersion }: Welcome, isFirst: boolean): void {
  if (lastingCodes.includes(link.obstacle?.code)) link.obstacle = undefined;
  if (isFirst) {
    link.logger.info({ event: "link_up", collector_version: collectorVersion, server: connection.getServer() });
  }
  publishProgress(link);
  publishDue(link.publisher);
}

function greet(link: NatsLinkState, connection: NatsConnection): void {
  const { introduction, clockOffset } = link.options;
  let welcomes = 0;
  void keepGreeting(connection, {
    introduction,
    clockOffset,
    intervalMs: link.timing.hello,
    logger: link.logger,
    isWanted: () => link.keeper.current() === connection,
    onWelcome: (welcome) => noticeWelcome(link, connection, welcome, welcomes++ === 0),
    onRefusal: (reason) => {
      if (lastingCodes.includes(reason.code)) link.obstacle = reason;
      complain(link, reason);
    },
  });
}

function noticeUp(link: NatsLinkState, connection: NatsConnection): void {
  const { counts, window } = link.options;
  if (link.ups++ > 0) counts.reconnects++;
  link.obstacle = checkPayload(connection);
  if (link.obstacle !== undefined) {
    complain(link, link.obstacle);
    return;
  }
  link.complaint = "";
  link.logger.info({ event: "nats_connected", server: connection.getServer() });
  subscribe(link, connection, "ack");
  subscribe(link, connection, "command");
  if (!link.begun) window.restart((connection.info?.max_payload ?? 0) - payloadAllowance);
  link.begun = true;
  greet(link, connection);
  useConnection(link.publisher, connection);
}

function noticeDown(link: NatsLinkState, reason: FleetmarkError): void {
  dropConnection(link.publisher);
  complain(link, reason);
}

function createState(options: NatsLinkOptions): NatsLinkState {
  const { library, window, counts, config, introduction } = options;
  const { host } = introduction;
  const timing = options.timing ?? defaultTiming;
  const logger = addFields(options.logger, { link: "nats" });
  const link: NatsLinkState = {
    options,
    timing,
    logger,
    publisher: startPublisher({
      library,
      host,
      window,
      counts,
      timing,
      logger,
      complain: (reason) => complain(link, reason),
      findConnection: () => (link.begun && link.obstacle === undefined ? link.keeper.current() : undefined),
    }),
    keeper: keepNatsConnected({
      library,
      config,
      name: `fleetmark agent ${host}`,
      inboxPrefix: natsInboxPrefix(host),
      onUp: (connection) => noticeUp(link, connection),
      onDown: (reason) => noticeDown(link, reason),
      onDenied: (reason) => complain(link, reason),
    }),
    begun: false,
    ups: 0,
    complaint: "",
    violated: false,
    obstacle: undefined,
    progress: undefined,
  };
  return link;
}

/**
 * Starts the link over NATS JetStream. Batches are put into the stream, from which collectors take them; what the
 * stream has is not released, only what a collector has acknowledged. It never gives up; what it meets is logged when
 * it changes.
 */
export function startNatsLink(options: NatsLinkOptions): Link {
  const link = createState(options);
  return {
    wake: () => publishDue(link.publisher),
    report: (latest) => {
      link.progress = latest;
      publishProgress(link);
    },
    stop: once(async () => {
      link.obstacle = new FleetmarkError("NATS_UNREACHABLE", "stopped");
      stopPublisher(link.publisher);
      await link.keeper.stop();
    }),
  };
}
