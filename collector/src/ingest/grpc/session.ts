import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ErrorCode, FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";
import { CollectorFrameSchema, type CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { createGate, type Gate } from "@fleetmark/shared/waiting";
import { encodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import { Metadata, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type Attachment, detachHost, type Presence } from "../../fleet/presence.js";
import type { Metrics } from "../../telemetry/metrics.js";
import { type ByteBudget, createByteBudget } from "../byte-budget.js";
import type { Intake, Source } from "../intake.js";
import type { IngestLimits } from "../limits.js";
import { type AckOutbox, createAckOutbox } from "./ack-outbox.js";

/**
 * One agent's stream, from the call to its end.
 *
 *     the agent calls
 *           │
 *           ▼
 *         open ──── Hello ────► attached          frames wait, and are looked at one by one
 *           │                       │               Batch ──► intake ──► fate ──┐
 *           │ none within 10 s      │               Progress, ClockRequest,     │ with all others
 *           │                       │               CommandResult               │ of its transaction
 *           │                       │                                  Ack ◄────┘
 *           ▼                       ▼
 *         ended, for one of these reasons:
 *           a frame breaks the protocol       refused: counted, and told by a status with the error's code
 *           a newer stream of its host        displaced, as ABORTED
 *           the collector stops               UNAVAILABLE
 *           the agent has closed its side     in order, once all that is under way is acknowledged
 *
 * agent-frames.ts says what becomes of a frame, backpressure.ts when it is looked at. Whatever a frame holds, it ends
 * its own stream alone.
 */

export type AgentCall = ServerDuplexStream<Buffer, Buffer>;

/** What every session works with. */
export interface SessionContext {
  readonly limits: IngestLimits;
  readonly intake: Intake;
  readonly presence: Presence;
  readonly receiveResult: (source: Source, result: CommandResult) => void;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Whether each agent has shown a certificate that names its host. */
  readonly mutual: boolean;
  /** All that are open. */
  readonly sessions: Set<Session>;
}

/** One agent's stream, until either end closes it. */
export interface Session {
  readonly call: AgentCall;
  readonly context: SessionContext;
  readonly outbox: AckOutbox;
  /**
   * The hosts that the agent may speak for, by its certificate; undefined where it has shown none: then it is taken at
   * its word.
   */
  readonly names: readonly string[] | undefined;
  /** When the certificate that opened it ends, milliseconds since the Unix epoch; undefined without one. */
  readonly certificateEndsMs: number | undefined;
  /** What its host may send. */
  readonly budget: ByteBudget;
  /** The agent at the other end, once it has introduced itself. */
  source: Source | undefined;
  attachment: Attachment | undefined;
  /** False once no further frame is to be looked at. */
  reading: boolean;
  open: boolean;
  /** Whether the agent has closed its side. */
  agentDone: boolean;
  /** Frames that have come and were not looked at yet. */
  readonly waiting: Buffer[];
  /** Whether they are being looked at. */
  draining: boolean;
  /** Batches that were taken in and not yet acknowledged; the gate is shut while they are too many. */
  outstanding: number;
  readonly room: Gate;
}

export function createSession(
  call: AgentCall,
  context: SessionContext,
  { names, certificateEndsMs }: Pick<Session, "names" | "certificateEndsMs">,
): Session {
  const outbox = createAckOutbox((value) => {
    sendFrame(session, { case: "ack", value });
    endWhenDone(session);
  });
  const session: Session = {
    call,
    context,
    outbox,
    names,
    attachment: undefined,
    source: undefined,
    certificateEndsMs,
    budget: createByteBudget(),
    reading: true,
    open: true,
    agentDone: false,
    waiting: [],
    draining: false,
    outstanding: 0,
    room: createGate(),
  };
  context.sessions.add(session);
  return session;
}

export function sendFrame(session: Session, frame: MessageInitShape<typeof CollectorFrameSchema>["frame"]): void {
  if (session.open) session.call.write(encodeCollectorFrame(create(CollectorFrameSchema, { frame })));
}

/** An agent that has closed its side gets the acknowledgements it still waits for, then an orderly end. */
export function endWhenDone(session: Session): void {
  const { open, agentDone, outstanding, waiting } = session;
  if (open && agentDone && outstanding === 0 && waiting.length === 0) session.call.end();
}

/** Forgets a session that has ended, however it did. */
export function forgetSession(session: Session): void {
  const { attachment, context } = session;
  session.open = session.reading = false;
  session.room.open();
  context.sessions.delete(session);
  if (attachment !== undefined) detachHost(context.presence, attachment);
}

/** Ends a stream with a status that the agent can act on; the error's code travels as metadata `fleetmark-code`. */
export function endSession(session: Session, code: status, error: FleetmarkError): void {
  if (!session.open) return;
  session.outbox.flush();
  forgetSession(session);
  const metadata = new Metadata();
  metadata.set("fleetmark-code", error.code);
  session.call.emit("error", { code, details: error.message, metadata });
  // What the agent has sent meanwhile is read and forgotten, so that its side of the stream can end too.
  session.call.resume();
}

function chooseStatus(code: ErrorCode): status {
  switch (code) {
    case "INTERNAL":
      return status.INTERNAL;
    case "HOST_FOREIGN":
      return status.PERMISSION_DENIED;
    case "TLS_EXPIRED":
      return status.UNAUTHENTICATED;
    case "PROTOCOL_MISMATCH":
      return status.FAILED_PRECONDITION;
    case "HOST_NAME_TAKEN":
      return status.ALREADY_EXISTS;
    case "HOSTS_TOO_MANY":
      return status.RESOURCE_EXHAUSTED;
    default:
      return status.INVALID_ARGUMENT;
  }
}

/** Ends a stream whose agent does not keep to the protocol, and counts it. */
export function refuseSession(session: Session, thrown: unknown): void {
  const { metrics, logger } = session.context;
  const error = toFleetmarkError(thrown, "the collector failed on this frame; its log says more", (defect) => {
    logger.error({ event: "stream_failed", err: defect }, "the collector failed on a frame");
  });
  metrics.streamsRefused.inc({ code: error.code });
  const who = { agent: session.attachment?.hello.host, peer: session.call.getPeer() };
  logger.warn({ event: "stream_refused", ...who, code: error.code, error: error.message }, "a stream was refused");
  endSession(session, chooseStatus(error.code), error);
}

/** Ends a stream whose batches can't be judged for now: its agent keeps them, and comes again. */
export function deferSession(session: Session, code: ErrorCode, message: string): void {
  if (!session.open) return;
  session.context.logger.warn({ event: "batches_deferred", agent: session.attachment?.hello.host, code }, message);
  endSession(session, status.UNAVAILABLE, new FleetmarkError(code, message));
}

/** Ends the stream of a host that has a newer one. */
export function displaceSession(session: Session, host: string): void {
  endSession(session, status.ABORTED, new FleetmarkError("BATCH_FOREIGN", `another agent has attached as host ${host}`));
}
