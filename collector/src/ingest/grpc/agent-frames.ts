import { FleetmarkError } from "@fleetmark/shared/errors";
import type { AgentFrame, Hello } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { decodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { type Attachment, attachHost, welcomeHost } from "../../fleet/presence.js";
import { replyClock } from "../../fleet/welcome.js";
import { readClockUs, readFineClockUs } from "../../platform/clock.js";
import type { Fate, Source } from "../intake.js";
import { countAcknowledged, countReceived, drainFrames } from "./backpressure.js";
import { isLocalPeer, readPeerNames } from "./peer-names.js";
import {
  type AgentCall,
  createSession,
  deferSession,
  displaceSession,
  endWhenDone,
  forgetSession,
  refuseSession,
  type Session,
  type SessionContext,
  sendFrame,
} from "./session.js";

/** An agent that has not said Hello by then is none. */
const helloWithinMs = 10_000;

/** An agent speaks for a host that its certificate names, and for no other. */
function checkIdentity({ names }: Session, host: string): void {
  if (names === undefined || names.includes(host)) return;
  const shown = names.map((name) => JSON.stringify(name.slice(0, 255))).join(", ");
  const message = `the agent's certificate is that of ${shown === "" ? "nobody" : shown}, not of host ${JSON.stringify(host.slice(0, 255))}`;
  throw new FleetmarkError("HOST_FOREIGN", message);
}

/** Under mutual TLS a client without a certificate does not come this far; should one, it may speak for nobody. */
function readPeer(call: AgentCall, mutual: boolean): Pick<Session, "names" | "certificateEndsMs"> {
  if (!mutual) return { names: undefined, certificateEndsMs: undefined };
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  if (certificate === undefined) return { names: [], certificateEndsMs: undefined };
  return { names: readPeerNames(certificate), certificateEndsMs: Date.parse(certificate.valid_to) };
}

function handleHello(session: Session, message: Hello, receivedUs: number): void {
  const { context, call } = session;
  if (session.attachment !== undefined) throw new FleetmarkError("PROTOCOL_VIOLATION", "a second Hello");
  checkIdentity(session, message.host);
  const { host, identity } = message;
  const speaksFor = (other: string): boolean => session.names?.includes(other) ?? true;
  const source: Source = { link: "grpc", host, identity, isLocal: isLocalPeer(call.getPeer()), speaksFor };
  const hello = context.intake.takeHello(message, source);
  const attachment: Attachment = {
    link: "grpc",
    hello,
    peer: call.getPeer(),
    sendCommand: (value) => sendFrame(session, { case: "command", value }),
    displace: () => displaceSession(session, hello.host),
  };
  if (!message.guest) attachHost(context.presence, attachment, readClockUs());
  session.attachment = attachment;
  session.source = source;
  welcomeHost(context.presence, hello.host, receivedUs, (value) => sendFrame(session, { case: "welcome", value }));
}

function requireSource({ source }: Session): Source {
  if (source === undefined) throw new FleetmarkError("PROTOCOL_VIOLATION", "the first frame is no Hello");
  return source;
}

/**
 * Acknowledges a batch. One that can't be named to the agent ends its stream: it would wait for the acknowledgement
 * for ever.
 */
function acknowledge(session: Session, fate: Fate): void {
  countAcknowledged(session);
  if (fate.kind === "deferred") deferSession(session, fate.code, fate.message);
  else if (fate.kind === "rejected" && fate.id === undefined) refuseSession(session, new FleetmarkError(fate.code, fate.message));
  else session.outbox.add(fate);
}

function handleFrame(session: Session, { frame }: AgentFrame, receivedUs: number): void {
  if (frame.case === "hello") {
    handleHello(session, frame.value, receivedUs);
    return;
  }
  const { intake, receiveResult } = session.context;
  const source = requireSource(session);
  switch (frame.case) {
    case "batch":
      countReceived(session);
      intake.takeBatch(frame.value, source, (fate) => acknowledge(session, fate));
      break;
    case "progress":
      intake.takeProgress(frame.value, source);
      break;
    case "clockRequest":
      intake.takeClock(frame.value.sentUs, source);
      sendFrame(session, { case: "clockReply", value: replyClock(receivedUs, frame.value.sentUs) });
      break;
    case "commandResult":
      receiveResult(source, frame.value);
      break;
  }
}

/**
 * Serves one agent's stream until either end closes it. No frame, whatever it holds, ends more than its own stream.
 */
export function openSession(call: AgentCall, context: SessionContext): void {
  const session = createSession(call, context, readPeer(call, context.mutual));
  const helloTimer = setTimeout(() => {
    if (session.attachment !== undefined) return;
    refuseSession(session, new FleetmarkError("PROTOCOL_VIOLATION", `no Hello came within ${helloWithinMs / 1000} s`));
  }, helloWithinMs);
  const leave = (): void => {
    clearTimeout(helloTimer);
    forgetSession(session);
  };
  const handle = (bytes: Buffer): void => {
    try {
      const receivedUs = readFineClockUs();
      handleFrame(session, decodeAgentFrame(bytes), receivedUs);
    } catch (thrown) {
      refuseSession(session, thrown);
    }
  };
  call.on("data", (bytes: Buffer) => {
    if (!session.reading) return;
    session.waiting.push(bytes);
    void drainFrames(session, handle);
  });
  call.on("end", () => {
    session.agentDone = true;
    endWhenDone(session);
  });
  for (const event of ["cancelled", "close", "error"]) call.on(event, leave);
}
