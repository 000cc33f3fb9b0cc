import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import { CollectorFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { encodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import { Metadata, type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { IngestLimits } from "../../config.js";
import { detachHost, type Fleet, type HostState } from "../../fleet/fleet.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Intake } from "../intake.js";
import { type AckOutbox, createAckOutbox } from "./ack-outbox.js";

export type AgentCall = ServerDuplexStream<Buffer, Buffer>;

/** What every stream works with. */
export interface StreamParts {
  readonly limits: IngestLimits;
  readonly intake: Intake;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Every open stream, and of each attached host its own. */
  readonly streams: Set<AgentStream>;
  readonly attached: Map<string, AgentStream>;
}

/** One agent's stream, until either end closes it. */
export interface AgentStream {
  readonly call: AgentCall;
  readonly parts: StreamParts;
  readonly outbox: AckOutbox;
  /** The hosts that the agent may speak for, by its certificate; undefined where it has shown none: then it is taken at its word. */
  readonly names: readonly string[] | undefined;
  /** Set by Hello. */
  host: HostState | undefined;
  /** False once no further frame is to be looked at. */
  reading: boolean;
  open: boolean;
  /** Whether the agent has closed its side. */
  agentDone: boolean;
  /** Batches that were taken in and not yet acknowledged. */
  outstanding: number;
  /** Frames that have come and were not taken yet. */
  readonly waiting: Buffer[];
  /** Called when a batch is acknowledged, or the stream has ended. */
  onAcknowledged: () => void;
  held: boolean;
}

/**
 * What one agent may have under way before the collector stops reading from it: batches without an acknowledgement (an agent of ours sends
 * 64), and acknowledgement frames that it has not read.
 */
const mostUnderWay = { batches: 1024, unreadFrames: 64 } as const;

export function createStream(call: AgentCall, parts: StreamParts, names: AgentStream["names"]): AgentStream {
  const outbox = createAckOutbox((value) => {
    sendFrame(stream, { case: "ack", value });
    endWhenDone(stream);
  });
  const stream: AgentStream = {
    call,
    parts,
    outbox,
    names,
    host: undefined,
    reading: true,
    open: true,
    agentDone: false,
    outstanding: 0,
    waiting: [],
    onAcknowledged: () => {},
    held: false,
  };
  parts.streams.add(stream);
  return stream;
}

export function sendFrame(stream: AgentStream, frame: MessageInitShape<typeof CollectorFrameSchema>["frame"]): void {
  if (stream.open) stream.call.write(encodeCollectorFrame(create(CollectorFrameSchema, { frame })));
}

/** An agent that has closed its side gets the acknowledgements it still waits for, then an orderly end. */
export function endWhenDone(stream: AgentStream): void {
  const { open, agentDone, outstanding, waiting } = stream;
  if (open && agentDone && outstanding === 0 && waiting.length === 0) stream.call.end();
}

/** Forgets a stream that has ended, however it did. */
export function leaveStream(stream: AgentStream): void {
  const { host, parts } = stream;
  stream.open = stream.reading = false;
  stream.onAcknowledged();
  parts.streams.delete(stream);
  if (host === undefined || parts.attached.get(host.host) !== stream) return;
  parts.attached.delete(host.host);
  detachHost(host);
  parts.metrics.agentsAttached.dec();
  parts.logger.info({ event: "agent_detached", host: host.host }, "an agent detached");
}

/** Ends a stream with a status that the agent can act on; the error's code travels as metadata `fleetmark-code`. */
export function endStream(stream: AgentStream, code: status, error: FleetmarkError): void {
  if (!stream.open) return;
  stream.outbox.flush();
  leaveStream(stream);
  const metadata = new Metadata();
  metadata.set("fleetmark-code", error.code);
  stream.call.emit("error", { code, details: error.message, metadata });
  // What the agent has sent meanwhile is read and forgotten, so that its side of the stream can end too.
  stream.call.resume();
}

function toFleetmarkError(thrown: unknown, logger: Logger): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  logger.error({ event: "stream_failed", err: thrown }, "the collector failed on a frame");
  return new FleetmarkError("INTERNAL", "the collector failed on this frame; its log says more", { cause: thrown });
}

function chooseStatus(code: ErrorCode): status {
  switch (code) {
    case "INTERNAL":
      return status.INTERNAL;
    case "HOST_FOREIGN":
      return status.PERMISSION_DENIED;
    case "PROTOCOL_MISMATCH":
      return status.FAILED_PRECONDITION;
    case "HOSTS_TOO_MANY":
      return status.RESOURCE_EXHAUSTED;
    default:
      return status.INVALID_ARGUMENT;
  }
}

/** Ends a stream whose agent does not keep to the protocol, and counts it. */
export function refuseStream(stream: AgentStream, thrown: unknown): void {
  const { metrics, logger } = stream.parts;
  const error = toFleetmarkError(thrown, logger);
  metrics.streamsRefused.inc({ code: error.code });
  const who = { host: stream.host?.host, peer: stream.call.getPeer() };
  logger.warn({ event: "stream_refused", ...who, code: error.code, error: error.message }, "a stream was refused");
  endStream(stream, chooseStatus(error.code), error);
}

/** Resolves when the agent has read what was sent, or is gone. */
function waitForReader(call: AgentCall): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ["drain", "cancelled", "close", "error"]) call.once(event, resolve);
  });
}

function waitForAcknowledgement(stream: AgentStream): Promise<void> {
  return new Promise((resolve) => {
    stream.onAcknowledged = resolve;
  });
}

/** Returns what must come to pass before the stream is read again, if anything. */
function findCrowd(stream: AgentStream): Promise<void> | undefined {
  const room = stream.parts.intake.waitForRoom();
  if (room !== undefined) return room;
  if (stream.call.writableLength >= mostUnderWay.unreadFrames) return waitForReader(stream.call);
  return stream.outstanding < mostUnderWay.batches ? undefined : waitForAcknowledgement(stream);
}

/**
 * Takes the frames that have come, one by one. While the store is behind, or the agent leaves its acknowledgements unread or sends too much
 * without one, they wait as they came, and the stream is not read: of 10 000 agents each has a frame on its way then, which decoded would
 * take five times as much.
 */
export async function takeWaiting(stream: AgentStream, take: (frame: Buffer) => void): Promise<void> {
  if (stream.held) return;
  stream.held = true;
  while (stream.open && stream.reading) {
    const crowd = findCrowd(stream);
    if (crowd !== undefined) {
      stream.call.pause();
      await crowd;
      continue;
    }
    const frame = stream.waiting.shift();
    if (frame === undefined) break;
    take(frame);
  }
  stream.held = false;
  endWhenDone(stream);
  if (stream.open && stream.call.isPaused()) stream.call.resume();
}
