import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { errorMessage, FleetmarkError } from "../errors.js";
import { type AgentFrame, AgentFrameSchema, type CollectorFrame, CollectorFrameSchema } from "../gen/fleetmark/v1/fleet_pb.js";

/** Raised when a change to the wire would make an older peer lose or misread something. */
export const protocolVersion = 1;

const passBytes = (bytes: Buffer): Buffer => bytes;

/**
 * The gRPC service fleetmark.v1.Fleet in the form that @grpc/grpc-js takes. Messages cross as bytes, and each end
 * decodes them itself: a frame that does not decode is then counted and answered instead of ending the stream from
 * inside the library.
 */
export const fleetService = {
  attach: {
    path: "/fleetmark.v1.Fleet/Attach",
    requestStream: true,
    responseStream: true,
    requestSerialize: passBytes,
    requestDeserialize: passBytes,
    responseSerialize: passBytes,
    responseDeserialize: passBytes,
  },
} as const;

export function encodeAgentFrame(frame: AgentFrame): Buffer {
  return Buffer.from(toBinary(AgentFrameSchema, frame));
}

export function encodeCollectorFrame(frame: CollectorFrame): Buffer {
  return Buffer.from(toBinary(CollectorFrameSchema, frame));
}

function decodeFrame<F extends AgentFrame | CollectorFrame>(decode: () => F): F {
  let frame: F;
  try {
    frame = decode();
  } catch (cause) {
    throw new FleetmarkError("PROTOCOL_VIOLATION", `a frame that does not decode: ${errorMessage(cause)}`, { cause });
  }
  if (frame.frame.case === undefined) throw new FleetmarkError("PROTOCOL_VIOLATION", "a frame that holds nothing known");
  return frame;
}

/** @throws FleetmarkError PROTOCOL_VIOLATION, whatever the bytes are */
export function decodeAgentFrame(bytes: Uint8Array): AgentFrame {
  return decodeFrame(() => fromBinary(AgentFrameSchema, bytes));
}

/** @throws FleetmarkError PROTOCOL_VIOLATION, whatever the bytes are */
export function decodeCollectorFrame(bytes: Uint8Array): CollectorFrame {
  return decodeFrame(() => fromBinary(CollectorFrameSchema, bytes));
}
