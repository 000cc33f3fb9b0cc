import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Hello } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { version } from "@fleetmark/shared/version";
import { decodeAgentFrame, protocolVersion } from "@fleetmark/shared/wire/frames";
import { status } from "@grpc/grpc-js";
import { attachHost } from "../../fleet/fleet.js";
import { readClockUs, readFineClockUs } from "../../platform/clock.js";
import { replyClock } from "../clock-reply.js";
import type { Fate, Source } from "../intake.js";
import { readPeerNames } from "./peer-names.js";
import {
  type AgentCall,
  type AgentStream,
  createStream,
  endStream,
  endWhenDone,
  leaveStream,
  refuseStream,
  type StreamParts,
  sendFrame,
  takeWaiting,
} from "./stream.js";

/** An agent that has not said Hello by then is none. */
const helloWithinMs = 10_000;

/**
 * Ends the stream that a host has already: the newer one wins. Almost always it is the same agent, whose former connection broke
 * without a word. Two agents under one name displace each other by turns, which their status and the log show.
 */
function displaceElder(stream: AgentStream, host: string): void {
  const { attached, logger } = stream.parts;
  const elder = attached.get(host);
  attached.set(host, stream);
  if (elder === undefined) {
    stream.parts.metrics.agentsAttached.inc();
    return;
  }
  logger.warn({ event: "agent_displaced", host }, "a newer stream of the same host displaced an agent");
  endStream(elder, status.ABORTED, new FleetmarkError("BATCH_FOREIGN", `another agent has attached as host ${host}`));
}

/** An agent speaks for a host that its certificate names, and for no other. */
function checkIdentity({ names }: AgentStream, host: string): void {
  if (names === undefined || names.includes(host)) return;
  const shown = names.map((name) => JSON.stringify(name.slice(0, 255))).join(", ");
  const message = `the agent's certificate is that of ${shown === "" ? "nobody" : shown}, not of host ${JSON.stringify(host.slice(0, 255))}`;
  throw new FleetmarkError("HOST_FOREIGN", message);
}

/** Under mutual TLS a client without a certificate does not come this far; should one, it may speak for nobody. */
function readNames(call: AgentCall, mutual: boolean): string[] | undefined {
  if (!mutual) return undefined;
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  return certificate === undefined ? [] : readPeerNames(certificate);
}

function attach(stream: AgentStream, message: Hello, receivedUs: number): void {
  const { parts, call } = stream;
  if (stream.host !== undefined) throw new FleetmarkError("PROTOCOL_VIOLATION", "a second Hello");
  checkIdentity(stream, message.host);
  const hello = parts.intake.takeHello(message, { link: "grpc", host: message.host });
  const nowUs = readClockUs();
  displaceElder(stream, hello.host);
  stream.host = parts.fleet.note(hello.host, nowUs);
  attachHost(stream.host, hello, nowUs);
  parts.logger.info(
    { event: "agent_attached", host: hello.host, version: hello.version, peer: call.getPeer() },
    "an agent attached",
  );
  const welcome = { protocolVersion, collectorVersion: version, maxBatchBytes: parts.limits.max_batch_bytes };
  sendFrame(stream, { case: "welcome", value: { ...welcome, clock: replyClock(receivedUs) } });
}

function requireSource(stream: AgentStream): Source {
  if (stream.host === undefined) throw new FleetmarkError("PROTOCOL_VIOLATION", "the first frame is no Hello");
  return { link: "grpc", host: stream.host.host };
}

/** Acknowledges a batch. One that can't be named to the agent ends its stream: it would wait for the acknowledgement for ever. */
function acknowledge(stream: AgentStream, fate: Fate): void {
  stream.outstanding--;
  stream.onAcknowledged();
  if (fate.kind === "committed") stream.outbox.addCommitted(fate.id, fate.refused);
  else if (fate.id === undefined) refuseStream(stream, new FleetmarkError(fate.code, fate.message));
  else stream.outbox.addRejected(fate.id, fate.code, fate.message);
}

function takeFrame(stream: AgentStream, bytes: Buffer): void {
  const receivedUs = readFineClockUs();
  const { frame } = decodeAgentFrame(bytes);
  if (frame.case === "hello") {
    attach(stream, frame.value, receivedUs);
    return;
  }
  const { intake } = stream.parts;
  const source = requireSource(stream);
  if (frame.case === "batch") {
    stream.outstanding++;
    intake.takeBatch(frame.value, source, (fate) => acknowledge(stream, fate));
  } else if (frame.case === "progress") {
    intake.takeProgress(frame.value, source);
  } else if (frame.case === "clockRequest") {
    sendFrame(stream, { case: "clockReply", value: replyClock(receivedUs, frame.value.sentUs) });
  }
}

/**
 * Serves one agent's stream until either end closes it. No frame, whatever it holds, ends more than its own stream.
 * @param mutual whether the agent has shown a certificate that names its host
 */
export function openSession(call: AgentCall, parts: StreamParts, mutual: boolean): void {
  const stream = createStream(call, parts, readNames(call, mutual));
  const helloTimer = setTimeout(() => {
    if (stream.host !== undefined) return;
    refuseStream(stream, new FleetmarkError("PROTOCOL_VIOLATION", `no Hello came within ${helloWithinMs / 1000} s`));
  }, helloWithinMs);
  const leave = (): void => {
    clearTimeout(helloTimer);
    leaveStream(stream);
  };
  const take = (bytes: Buffer): void => {
    try {
      takeFrame(stream, bytes);
    } catch (thrown) {
      refuseStream(stream, thrown);
    }
  };
  call.on("data", (bytes: Buffer) => {
    if (!stream.reading) return;
    stream.waiting.push(bytes);
    void takeWaiting(stream, take);
  });
  call.on("end", () => {
    stream.agentDone = true;
    endWhenDone(stream);
  });
  for (const event of ["cancelled", "close", "error"]) call.on(event, leave);
}
