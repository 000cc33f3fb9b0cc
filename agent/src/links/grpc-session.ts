import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { readTlsFiles, type TlsFiles } from "@fleetmark/shared/config/tls";
import { type ErrorCode, errorCatalogue, errorMessage } from "@fleetmark/shared/errors";
import {
  type Ack,
  AgentFrameSchema,
  type ClockReply,
  type CollectorFrame,
  type Welcome,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { isLoopback } from "@fleetmark/shared/model/units";
import { decodeCollectorFrame, encodeAgentFrame, fleetService, protocolVersion } from "@fleetmark/shared/wire/frames";
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import type { Introduction, RunProgress } from "../delivery/link.js";
import type { Sender } from "../delivery/send-window.js";
import type { ClockOffsetMeter, ClockQuestion } from "./clock-offset.js";

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

/** Why a session ended. `code` is undefined when this end closed it. */
export interface SessionEnd {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  /** Whether anything was acknowledged: the collector is in working order. */
  readonly fruitful: boolean;
}

/** One stream to a collector, from its opening to its end. */
export interface Session {
  readonly ended: Promise<SessionEnd>;
  /** Sends what the sender has due, as far as the stream takes it. */
  pump(): void;
  report(progress: RunProgress): void;
  close(): void;
}

export interface SessionOptions {
  readonly address: Address;
  readonly tls: TlsFiles;
  readonly introduction: Introduction;
  readonly sender: Sender;
  readonly clockOffset: ClockOffsetMeter;
  readonly timing: SessionTiming;
  onWelcome(welcome: Welcome): void;
  /** A frame made no sense. */
  onViolation(message: string): void;
}

const FleetClient = makeGenericClientConstructor(fleetService, "fleetmark.v1.Fleet");

/** How OpenSSL and Node word a handshake that one side broke off; gRPC knows no status for it. */
const tlsTrouble = /certificate|SSL routines|tlsv1|altnames|EPROTO/i;

/** What may lie behind a connection that was closed as soon as it was made, for which the library has no words. */
function explainClosed(message: string): string {
  if (!/Failed to connect|ECONNRESET|EPIPE|dropped/.test(message)) return "";
  return "(closed as soon as made: if that lasts, one side speaks TLS and the other does not, or the collector refuses the certificate)";
}

/** Reads why the stream ended: the collector's own code where it gave one, else by the status. */
function explainStatus({ code, details, metadata }: StatusObject): Pick<SessionEnd, "code" | "message"> {
  const message = details.slice(0, 500);
  const given = metadata.get("fleetmark-code").join("");
  if (Object.hasOwn(errorCatalogue, given)) return { code: given as ErrorCode, message };
  switch (code) {
    case status.OK:
      return { code: "COLLECTOR_UNREACHABLE", message: "the collector closed the stream" };
    case status.UNAVAILABLE:
      return {
        code: tlsTrouble.test(message) ? "TLS_REFUSED" : "COLLECTOR_UNREACHABLE",
        message: message + explainClosed(message),
      };
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
      return { code: "COLLECTOR_UNREACHABLE", message };
    case status.FAILED_PRECONDITION:
      return { code: "PROTOCOL_MISMATCH", message };
    case status.UNIMPLEMENTED:
    case status.INVALID_ARGUMENT:
      return { code: "PROTOCOL_VIOLATION", message };
    default:
      return { code: "COLLECTOR_FAILED", message: `${status[code]}: ${message}` };
  }
}

/** Reads the files anew, so that a renewed certificate is in force from the next connection on. */
function readCredentials(tls: TlsFiles, host: string): ChannelCredentials {
  const material = readTlsFiles(tls, "collector.tls");
  if (material === undefined) return credentials.createInsecure();
  return credentials.createSsl(material.ca, material.identity?.key, material.identity?.cert, {
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
}

function openCall({ address, tls, timing }: SessionOptions): { call: ClientDuplexStream<Buffer, Buffer>; close(): void } {
  const client = new FleetClient(formatAddress(address), readCredentials(tls, address.host), {
    // The library would announce an IP address as the server's name, which RFC 6066 forbids; the certificate is checked against the address.
    ...(isIP(address.host) === 0 ? {} : { "grpc.ssl_target_name_override": "fleetmark-collector" }),
    "grpc.keepalive_time_ms": timing.ping * 1000,
    "grpc.keepalive_timeout_ms": timing.ping * 500,
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    // A proxy from the environment must not come between two processes of one machine.
    "grpc.enable_http_proxy": isLoopback(address) ? 0 : 1,
  });
  return { call: client.attach(), close: () => client.close() };
}

/**
 * Opens a stream and says Hello. Once the collector has said Welcome in a protocol version that we speak, batches flow within
 * the sender's window, at the pace at which the stream takes them.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function openSession(options: SessionOptions): Session {
  const { sender, timing, introduction, clockOffset } = options;
  const { call, close } = openCall(options);
  let state: "greeting" | "attached" | "closing" | "over" = "greeting";
  let writable = true;
  let fruitful = false;
  let timer: NodeJS.Timeout | undefined;
  let clockTimer: NodeJS.Timeout | undefined;
  let question: ClockQuestion | undefined;
  let resolveEnded: (end: SessionEnd) => void = () => {};
  const ended = new Promise<SessionEnd>((resolve) => {
    resolveEnded = resolve;
  });

  const finish = (code: ErrorCode | undefined, message: string): void => {
    if (state === "over") return;
    const ours = state === "closing";
    state = "over";
    clearTimeout(timer);
    clearTimeout(clockTimer);
    call.cancel();
    close();
    resolveEnded({ code: ours ? undefined : code, message, fruitful });
  };

  const expectWithin = (seconds: number, what: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => finish("COLLECTOR_UNREACHABLE", `no ${what} within ${seconds} s`), seconds * 1000);
  };

  const send = (frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): void => {
    writable = call.write(encodeAgentFrame(create(AgentFrameSchema, { frame })));
  };

  const pump = (): void => {
    if (state !== "attached") return;
    const idle = sender.inFlight === 0;
    while (writable) {
      const parcel = sender.take();
      if (parcel === undefined) break;
      send({ case: "batch", value: parcel.bytes });
    }
    if (idle && sender.inFlight > 0) expectWithin(timing.silence, "acknowledgement");
  };

  /** A question that would wait behind batches tells nothing; then the next one does. */
  const askClock = (seconds: number): void => {
    if (state !== "attached") return;
    if (writable) {
      question = clockOffset.ask();
      send({ case: "clockRequest", value: { sentUs: BigInt(question.askedUs) } });
    }
    clockTimer = setTimeout(() => askClock(Math.min(timing.clock, seconds * 2)), seconds * 1000);
  };

  const takeClock = (reply: ClockReply): void => {
    // An answer to a question before the last is late, and told by nothing but that.
    if (question !== undefined && reply.requestSentUs === BigInt(question.askedUs)) clockOffset.settle(question, reply);
    question = undefined;
  };

  const greet = (welcome: Welcome): void => {
    if (welcome.protocolVersion !== protocolVersion) {
      const message = `the collector speaks protocol version ${welcome.protocolVersion}, this agent ${protocolVersion}`;
      finish("PROTOCOL_MISMATCH", message);
      return;
    }
    clearTimeout(timer);
    state = "attached";
    sender.begin(welcome.maxBatchBytes);
    options.onWelcome(welcome);
    pump();
    if (welcome.clock !== undefined) askClock(Math.min(1, timing.clock));
  };

  const settle = (ack: Ack): void => {
    fruitful ||= ack.committed.length > 0;
    sender.settle(ack);
    // While closing, the timer is the one that ends it.
    if (state !== "attached") return;
    clearTimeout(timer);
    if (sender.inFlight > 0) expectWithin(timing.silence, "acknowledgement");
    pump();
  };

  /** A peer that begins with nonsense is no collector; later, a frame that we do not know costs only itself. */
  const refuse = (message: string): void => {
    options.onViolation(message);
    if (state === "greeting") finish("PROTOCOL_VIOLATION", message);
  };

  const receive = ({ frame }: CollectorFrame): void => {
    if (state === "greeting" && frame.case === "welcome") greet(frame.value);
    else if (state !== "greeting" && frame.case === "ack") settle(frame.value);
    else if (state !== "greeting" && frame.case === "clockReply") takeClock(frame.value);
    else refuse(`an unexpected ${frame.case}`);
  };

  call.on("data", (bytes: Buffer) => {
    if (state === "over") return;
    let frame: CollectorFrame;
    try {
      frame = decodeCollectorFrame(bytes);
    } catch (thrown) {
      refuse(errorMessage(thrown));
      return;
    }
    receive(frame);
  });
  call.on("drain", () => {
    writable = true;
    pump();
  });
  // The status that follows an error says the same.
  call.on("error", () => {});
  call.on("status", (given: StatusObject) => {
    const { code, message } = explainStatus(given);
    finish(code, message);
  });

  expectWithin(timing.welcome, "Welcome");
  send({ case: "hello", value: { protocolVersion, ...introduction } });

  return {
    ended,
    pump,
    report(progress) {
      if (state !== "attached" || !writable) return;
      const [elapsedS, remainingS] = [progress.elapsedS, progress.remainingS].map((s) => (Number.isFinite(s) ? s : 0));
      send({ case: "progress", value: { ...progress, elapsedS, remainingS } });
    },
    close() {
      if (state === "over" || state === "closing") return;
      state = "closing";
      clearTimeout(timer);
      // The collector learns of the end by the half-closed stream; one that does not answer is left.
      timer = setTimeout(() => finish(undefined, "closed"), 100);
      call.end();
    },
  };
}
