import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Address } from "@fleetmark/shared/model/units";
import { formatAddress } from "@fleetmark/shared/model/units";
import { encodeAgentFrame, protocolVersion } from "@fleetmark/shared/wire/frames";

/**
 * gRPC spoken directly over HTTP/2, for load that costs its sender little and for frames that no library would send.
 */

/** A gRPC message as it travels: a byte that says it is not compressed, its length, itself. */
export function wrapMessage(message: Uint8Array): Buffer {
  const wrapped = Buffer.allocUnsafe(5 + message.length);
  wrapped.writeUInt8(0, 0);
  wrapped.writeUInt32BE(message.length, 1);
  wrapped.set(message, 5);
  return wrapped;
}

export function encodeFrame(frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): Buffer {
  return encodeAgentFrame(create(AgentFrameSchema, { frame }));
}

export function encodeHello(host: string, changes: { readonly guest?: boolean; readonly inventoryJson?: string } = {}): Buffer {
  return encodeFrame({
    case: "hello",
    value: { protocolVersion, agentVersion: "0.0.0", host, hardwareClass: "simulated", inventoryJson: "{}", ...changes },
  });
}

export function connectHttp2(address: Address): ClientHttp2Session {
  const session = connect(`http://${formatAddress(address)}`, { settings: { initialWindowSize: 1 << 20 } });
  session.on("error", () => {});
  return session;
}

export function openAttach(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request(
    { ":method": "POST", ":path": "/fleetmark.v1.Fleet/Attach", "content-type": "application/grpc", te: "trailers" },
    { endStream: false },
  );
  stream.on("error", () => {});
  return stream;
}

/** Takes the messages out of what a stream brings, in pieces of any size. */
export function createMessageReader(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const end = 5 + rest.readUInt32BE(1);
      if (rest.length < end) return;
      onMessage(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  };
}
