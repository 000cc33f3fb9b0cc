import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { errorMessage, FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";
import { CollectorFrameSchema, type CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { type NatsSubject, natsSubject, natsSubjects, readSubjectHost } from "@fleetmark/shared/nats/subjects";
import { decodeAgentFrame, encodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { AgentHello } from "../../fleet/fleet.js";
import { attachHost, type CommandFields, isKnownHello, type Presence, welcomeHost } from "../../fleet/presence.js";
import { readClockUs, readFineClockUs } from "../../platform/clock.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake, Source } from "../intake.js";

/** What is done with what agents say beside their batches. */
export interface RequestOptions {
  readonly presence: Presence;
  readonly intake: Intake;
  readonly receiveResult: (source: Source, result: CommandResult) => void;
  /** Publishes over the connection that is up when it is called. */
  readonly publish: (subject: string, payload: Uint8Array) => void;
}

export interface RequestListenerOptions extends RequestOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Makes headers for an answer: the client library is loaded only where NATS is used. */
  readonly makeHeaders: () => MsgHdrs;
}

/** @throws FleetmarkError PROTOCOL_VIOLATION */
function readFrame<K extends "hello" | "progress" | "commandResult">(kind: K, bytes: Uint8Array) {
  const { frame } = decodeAgentFrame(bytes);
  if (frame.case !== kind) throw new FleetmarkError("PROTOCOL_VIOLATION", `a ${frame.case} where a ${kind} belongs`);
  return frame as Extract<typeof frame, { case: K }>;
}

function encodeFrame(frame: MessageInitShape<typeof CollectorFrameSchema>["frame"]): Uint8Array {
  return encodeCollectorFrame(create(CollectorFrameSchema, { frame }));
}

function publishCommand({ publish }: Pick<RequestOptions, "publish">, host: string, value: CommandFields): void {
  publish(natsSubject("command", host), encodeFrame({ case: "command", value }));
}

function attachAgent(options: RequestOptions, hello: AgentHello, nowUs: number): void {
  const sendCommand = (value: CommandFields): void => publishCommand(options, hello.host, value);
  attachHost(options.presence, { link: "nats", hello, sendCommand }, nowUs);
}

/**
 * Receives an agent's Hello, which it says again and again: only one that says something new attaches the host anew.
 * @throws FleetmarkError what is wrong with it
 */
export function receiveHello(
  options: RequestOptions,
  subject: string,
  bytes: Uint8Array,
  answer: (welcome: Uint8Array) => void,
): void {
  const { presence, intake } = options;
  const receivedUs = readFineClockUs();
  const host = readSubjectHost(subject);
  const { value: message } = readFrame("hello", bytes);
  const nowUs = readClockUs();
  if (message.guest) intake.takeHello(message, { link: "nats", host });
  else if (isKnownHello(presence, "nats", host, message)) intake.takeKnownHello(message, { link: "nats", host });
  else attachAgent(options, intake.takeHello(message, { link: "nats", host }), nowUs);
  welcomeHost(presence, host, receivedUs, (value) => answer(encodeFrame({ case: "welcome", value })));
}

/** @throws FleetmarkError what is wrong with it */
export function receiveProgress({ intake }: RequestOptions, subject: string, bytes: Uint8Array): void {
  const host = readSubjectHost(subject);
  intake.takeProgress(readFrame("progress", bytes).value, { link: "nats", host });
}

/** @throws FleetmarkError what is wrong with it */
export function receiveCommandResult({ receiveResult }: RequestOptions, subject: string, bytes: Uint8Array): void {
  const host = readSubjectHost(subject);
  receiveResult({ link: "nats", host }, readFrame("commandResult", bytes).value);
}

/** Makes the headers that tell an agent why it is refused, as gRPC's metadata does. */
function makeRefusal(makeHeaders: () => MsgHdrs, { code, message }: FleetmarkError): MsgHdrs {
  const headers = makeHeaders();
  headers.set("Fleetmark-Code", code);
  headers.set("Fleetmark-Message", message.replaceAll(/[\r\n]+/g, " ").slice(0, 500));
  return headers;
}

function refuseMessage({ metrics, logger, makeHeaders }: RequestListenerOptions, message: Msg, thrown: unknown): void {
  const { subject } = message;
  const error = toFleetmarkError(thrown, "the collector failed on this message; its log says more", (defect) => {
    logger.error({ event: "message_refused", subject, code: "INTERNAL", err: defect }, errorMessage(defect));
  });
  metrics.streamsRefused.inc({ code: error.code });
  if (error === thrown) logger.warn({ event: "message_refused", subject, code: error.code }, error.message);
  message.respond("", { headers: makeRefusal(makeHeaders, error) });
}

/**
 * Listens to agents' Hellos, progress and results of commands, for as long as the connection lasts. No message,
 * whatever it holds, ends more than itself.
 */
export function listenToAgents(connection: NatsConnection, options: RequestListenerOptions): void {
  const listen = (kind: NatsSubject, receive: (message: Msg) => void): void => {
    const callback = (error: Error | null, message: Msg): void => {
      // A subscription that the server refuses is told by the connection.
      if (error !== null) return;
      try {
        receive(message);
      } catch (thrown) {
        refuseMessage(options, message, thrown);
      }
    };
    connection.subscribe(natsSubjects(kind), { callback });
  };
  options.presence.sendBlindly = (host, command) => publishCommand(options, host, command);
  listen("hello", (message) => {
    receiveHello(options, message.subject, message.data, (welcome) => void message.respond(welcome));
  });
  listen("progress", (message) => receiveProgress(options, message.subject, message.data));
  listen("command_result", (message) => receiveCommandResult(options, message.subject, message.data));
}
