import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Address } from "@fleetmark/shared/config/config";
import type { TlsFiles } from "@fleetmark/shared/config/tls";
import { type ErrorCode, errorMessage } from "@fleetmark/shared/errors";
import {
  type Ack,
  AgentFrameSchema,
  type ClockReply,
  type CollectorFrame,
  type Command,
  type Welcome,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { HostProgress } from "@fleetmark/shared/model/progress";
import { decodeCollectorFrame, encodeAgentFrame, protocolVersion } from "@fleetmark/shared/wire/frames";
import { encodeProgress } from "@fleetmark/shared/wire/progress";
import type { StatusObject } from "@grpc/grpc-js";
import type { ClockQuestion } from "./clock-offset.js";
import { type Call, explainStatus, openCall } from "./grpc-call.js";
import type { LinkOptions } from "./link-options.js";

/**
 * A session is one stream to a collector, from its opening to its end:
 *
 *           Hello            Welcome             stop             the collector's end, or 100 ms
 *   start ────────► greeting ────────► attached ──────► stopping ───────────────────────────────► over
 *                      │                  │                                                         ▲
 *                      └──────────────────┴── the stream's status, nonsense in greeting, silence ───┘
 *
 * One timer runs at a time: for the Welcome, then for any acknowledgement while batches are in flight, then for the
 * end. While it is attached, batches flow within the send window at the pace at which the stream takes them
 * (`writable`), and so do questions for the collector's clock, progress, and what became of commands.
 */

/** Seconds. */
export interface SessionTiming {
  /** Between the attempt to connect and the collector's Welcome. */
  readonly welcome: number;
  /** Without any acknowledgement while batches are in flight. */
  readonly silence: number;
  /** Between questions for the collector's clock; the first ones come faster. */
  readonly clock: number;
  /** Between keepalive pings, and for their answer: a peer that is gone without a word is noticed within their sum. */
  readonly ping: number;
}

export const defaultTiming: SessionTiming = { welcome: 10, silence: 60, clock: 30, ping: 10 };

/** Milliseconds for the collector to see that the stream is half closed. */
const farewellMs = 100;

/** Why a session ended. `code` is undefined when this end stopped it. */
export interface SessionEnd {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  /** Whether anything was acknowledged: the collector is in working order. */
  readonly fruitful: boolean;
}

export interface Session extends Running {
  readonly ended: Promise<SessionEnd>;
  /** Sends what the window has due, as far as the stream takes it. */
  pump(): void;
  report(progress: HostProgress): void;
}

export interface SessionOptions extends Pick<LinkOptions, "introduction" | "window" | "clockOffset" | "onCommand"> {
  readonly address: Address;
  readonly tls: TlsFiles;
  readonly timing: SessionTiming;
  onWelcome(welcome: Welcome): void;
  /** A frame made no sense. */
  onViolation(message: string): void;
}

interface SessionState {
  readonly options: SessionOptions;
  readonly call: Call;
  readonly resolveEnded: (end: SessionEnd) => void;
  phase: "greeting" | "attached" | "stopping" | "over";
  /** Whether the stream takes more without buffering it. */
  writable: boolean;
  fruitful: boolean;
  timer: NodeJS.Timeout | undefined;
  clockTimer: NodeJS.Timeout | undefined;
  question: ClockQuestion | undefined;
}

function finish(session: SessionState, code: ErrorCode | undefined, message: string): void {
  const { phase, fruitful, call } = session;
  if (phase === "over") return;
  session.phase = "over";
  clearTimeout(session.timer);
  clearTimeout(session.clockTimer);
  call.cancel();
  session.resolveEnded({ code: phase === "stopping" ? undefined : code, message, fruitful });
}

function expectWithin(session: SessionState, seconds: number, what: string): void {
  clearTimeout(session.timer);
  const giveUp = (): void => finish(session, "COLLECTOR_UNREACHABLE", `no ${what} within ${seconds} s`);
  session.timer = setTimeout(giveUp, seconds * 1000);
}

function expectAcknowledgement(session: SessionState): void {
  expectWithin(session, session.options.timing.silence, "acknowledgement");
}

function send(session: SessionState, frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): void {
  session.writable = session.call.stream.write(encodeAgentFrame(create(AgentFrameSchema, { frame })));
}

function pump(session: SessionState): void {
  const { window } = session.options;
  if (session.phase !== "attached") return;
  const idle = window.inFlight === 0;
  while (session.writable) {
    const batch = window.takeNext();
    if (batch === undefined) break;
    send(session, { case: "batch", value: batch.bytes });
  }
  if (idle && window.inFlight > 0) expectAcknowledgement(session);
}

/** A question that would wait behind batches tells nothing; then the next one does. */
function askClock(session: SessionState, seconds: number): void {
  const { clockOffset, timing } = session.options;
  if (session.phase !== "attached") return;
  if (session.writable) {
    session.question = clockOffset.ask();
    send(session, { case: "clockRequest", value: { sentUs: BigInt(session.question.askedUs) } });
  }
  session.clockTimer = setTimeout(() => askClock(session, Math.min(timing.clock, seconds * 2)), seconds * 1000);
}

function recordClock(session: SessionState, reply: ClockReply): void {
  const { question } = session;
  // An answer to a question before the last is late, and told by nothing but that.
  if (question !== undefined && reply.requestSentUs === BigInt(question.askedUs)) {
    session.options.clockOffset.recordReply(question, reply);
  }
  session.question = undefined;
}

function greet(session: SessionState, welcome: Welcome): void {
  const { window, timing, onWelcome } = session.options;
  if (welcome.protocolVersion !== protocolVersion) {
    const message = `the collector speaks protocol version ${welcome.protocolVersion}, this agent ${protocolVersion}`;
    finish(session, "PROTOCOL_MISMATCH", message);
    return;
  }
  clearTimeout(session.timer);
  session.phase = "attached";
  window.restart(welcome.maxBatchBytes);
  onWelcome(welcome);
  pump(session);
  if (welcome.clock !== undefined) askClock(session, Math.min(1, timing.clock));
}

function acknowledge(session: SessionState, ack: Ack): void {
  const { window } = session.options;
  session.fruitful ||= ack.committed.length > 0;
  window.acknowledge(ack);
  // While stopping, the timer is the one that ends it.
  if (session.phase !== "attached") return;
  clearTimeout(session.timer);
  if (window.inFlight > 0) expectAcknowledgement(session);
  pump(session);
}

/** Answers a command over this stream; where that has ended meanwhile, the collector asks again over another. */
async function answerCommand(session: SessionState, answer: ReturnType<NonNullable<LinkOptions["onCommand"]>>): Promise<void> {
  const value = await answer;
  if (session.phase === "attached") send(session, { case: "commandResult", value });
}

/** A peer that begins with nonsense is no collector; later, a frame that we do not know costs only itself. */
function refuse(session: SessionState, message: string): void {
  session.options.onViolation(message);
  if (session.phase === "greeting") finish(session, "PROTOCOL_VIOLATION", message);
}

function receiveCommand(session: SessionState, command: Command): void {
  const { onCommand } = session.options;
  if (onCommand === undefined) refuse(session, "an unexpected command");
  else void answerCommand(session, onCommand(command));
}

function receive(session: SessionState, { frame }: CollectorFrame): void {
  const greeted = session.phase !== "greeting";
  if (!greeted && frame.case === "welcome") greet(session, frame.value);
  else if (greeted && frame.case === "ack") acknowledge(session, frame.value);
  else if (greeted && frame.case === "clockReply") recordClock(session, frame.value);
  else if (greeted && frame.case === "command") receiveCommand(session, frame.value);
  else refuse(session, `an unexpected ${frame.case}`);
}

function receiveBytes(session: SessionState, bytes: Buffer): void {
  if (session.phase === "over") return;
  let frame: CollectorFrame;
  try {
    frame = decodeCollectorFrame(bytes);
  } catch (thrown) {
    refuse(session, errorMessage(thrown));
    return;
  }
  receive(session, frame);
}

function listenToStream(session: SessionState): void {
  const { stream } = session.call;
  stream.on("data", (bytes: Buffer) => receiveBytes(session, bytes));
  stream.on("drain", () => {
    session.writable = true;
    pump(session);
  });
  stream.on("status", (given: StatusObject) => {
    const { code, message } = explainStatus(given);
    finish(session, code, message);
  });
}

function report(session: SessionState, progress: HostProgress): void {
  if (session.phase !== "attached" || !session.writable) return;
  send(session, { case: "progress", value: encodeProgress(progress) });
}

function sayFarewell(session: SessionState): void {
  if (session.phase === "over") return;
  session.phase = "stopping";
  clearTimeout(session.timer);
  // The collector learns of the end by the half-closed stream; one that does not answer is left.
  session.timer = setTimeout(() => finish(session, undefined, "stopped"), farewellMs);
  session.call.stream.end();
}

/**
 * Calls a collector and says Hello.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function startSession(options: SessionOptions): Session {
  const { address, tls, timing, introduction } = options;
  const call = openCall(address, tls, timing.ping);
  let resolveEnded: (end: SessionEnd) => void = () => {};
  const ended = new Promise<SessionEnd>((resolve) => {
    resolveEnded = resolve;
  });
  const session: SessionState = {
    options,
    call,
    resolveEnded,
    phase: "greeting",
    writable: true,
    fruitful: false,
    timer: undefined,
    clockTimer: undefined,
    question: undefined,
  };
  listenToStream(session);
  expectWithin(session, timing.welcome, "Welcome");
  send(session, {
    case: "hello",
    value: { protocolVersion, sentUs: BigInt(session.options.clockOffset.ask().askedUs), ...introduction },
  });
  return {
    ended,
    pump: () => pump(session),
    report: (progress) => report(session, progress),
    stop: once(async () => {
      sayFarewell(session);
      await ended;
    }),
  };
}
