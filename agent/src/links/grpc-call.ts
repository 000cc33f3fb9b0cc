import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { readTlsFiles, type TlsFiles } from "@fleetmark/shared/config/tls";
import { type ErrorCode, isErrorCode } from "@fleetmark/shared/errors";
import { isLoopback } from "@fleetmark/shared/model/units";
import { fleetService } from "@fleetmark/shared/wire/frames";
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  type StatusObject,
  status,
} from "@grpc/grpc-js";

/** A call of Fleet.Attach, with the client that was made for it. */
export interface Call {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  cancel(): void;
}

const FleetClient = makeGenericClientConstructor(fleetService, "fleetmark.v1.Fleet");

/** Reads the files anew, so that a renewed certificate is in force from the next connection on. */
function readCredentials(tls: TlsFiles, host: string): ChannelCredentials {
  const material = readTlsFiles(tls, "collector.tls");
  if (material === undefined) return credentials.createInsecure();
  return credentials.createSsl(material.ca, material.identity?.key, material.identity?.cert, {
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
}

/**
 * Calls a collector, whether it is there or not: the stream's status tells.
 * @param pingS seconds between keepalive pings
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function openCall(address: Address, tls: TlsFiles, pingS: number): Call {
  // The library would announce an IP address as the server's name, which RFC 6066 forbids; the certificate is checked
  // against it.
  const announced = isIP(address.host) === 0 ? {} : { "grpc.ssl_target_name_override": "fleetmark-collector" };
  const client = new FleetClient(formatAddress(address), readCredentials(tls, address.host), {
    ...announced,
    "grpc.keepalive_time_ms": pingS * 1000,
    "grpc.keepalive_timeout_ms": pingS * 500,
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    // A proxy from the environment must not come between two processes of one machine.
    "grpc.enable_http_proxy": isLoopback(address) ? 0 : 1,
  });
  const stream = client.attach();
  // The status that follows an error says the same.
  stream.on("error", () => {});
  return {
    stream,
    cancel: () => {
      stream.cancel();
      client.close();
    },
  };
}

/** How OpenSSL and Node word a handshake that one side broke off; gRPC knows no status for it. */
const handshakeBroken = /certificate|SSL routines|tlsv1|altnames|EPROTO/i;

/** What may lie behind a connection that was closed as soon as it was made, for which the library has no words. */
function explainClosed(message: string): string {
  if (!/Failed to connect|ECONNRESET|EPIPE|dropped/.test(message)) return "";
  return "(closed as soon as made: if that lasts, one side speaks TLS and the other does not, or the collector refuses the certificate)";
}

/** Reads why a call ended: the collector's own code where it gave one, else by the status. */
export function explainStatus({ code, details, metadata }: StatusObject): { code: ErrorCode; message: string } {
  const message = details.slice(0, 500);
  const given = metadata.get("fleetmark-code").join("");
  if (isErrorCode(given)) return { code: given, message };
  switch (code) {
    case status.OK:
      return { code: "COLLECTOR_UNREACHABLE", message: "the collector closed the stream" };
    case status.UNAVAILABLE:
      return {
        code: handshakeBroken.test(message) ? "TLS_REFUSED" : "COLLECTOR_UNREACHABLE",
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
