import type { EventEmitter } from "node:events";
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { isLoopback } from "@fleetmark/shared/model/units";
import type { Server } from "@grpc/grpc-js";
import type { Metrics } from "../../telemetry/metrics.js";
import { createFrameMeter, type FrameMeter, frameLimits, meterStream } from "./frame-meter.js";

/**
 * What a connection may do before its agent has introduced itself:
 *
 *   TCP ──────► TLS handshake ──────► first stream ──────► first frame, a Hello
 *        10 s                  30 s                 10 s, up to 256 KiB
 *
 * Beyond the deadlines and the number of connections that an address may have, it is cut off and counted. The gRPC
 * library has no door for this; the HTTP/2 servers that it keeps are Node's own, and tell all of it.
 */

export interface ConnectionLimits {
  /** Connections of one address at a time. */
  readonly connections_per_address: number;
}

/** Milliseconds. */
const deadlines = { handshake: 10_000, stream: 30_000, tell: 60_000 } as const;

/** Why a connection came to nothing. */
type FailureReason =
  | "no_certificate"
  | "untrusted"
  | "closed"
  | "protocol"
  | "too_slow"
  | "silent"
  | "too_many"
  | Parameters<FrameMeter["onCut"]>[0];

interface ConnectionGuard {
  readonly limits: ConnectionLimits;
  readonly isSecure: boolean;
  readonly metrics: Pick<Metrics, "handshakesFailed">;
  readonly logger: Logger;
  readonly frames: FrameMeter;
  readonly sockets: Set<Socket>;
  /** Open connections by address. */
  readonly open: Map<string, number>;
  /** Failures that the log was not told of yet, by reason. */
  untold: Map<FailureReason, number>;
  toldMs: number;
}

/** Counts a failure, and logs what has gathered, at most once a minute. */
function noteFailure(guard: ConnectionGuard, code: FailureReason, address: string | undefined): void {
  const { metrics, logger, untold } = guard;
  metrics.handshakesFailed.inc({ code });
  untold.set(code, (untold.get(code) ?? 0) + 1);
  const nowMs = performance.now();
  if (nowMs - guard.toldMs < deadlines.tell) return;
  guard.toldMs = nowMs;
  guard.untold = new Map();
  logger.warn(
    { event: "handshakes_failed", reasons: Object.fromEntries(untold), peer: address },
    "connections to the gRPC port came to nothing; the last was of this peer",
  );
}

/** Reads why a TLS handshake failed, by what OpenSSL and Node call it. */
function readReason(thrown: unknown): FailureReason {
  const { code = "", message = "" } = thrown as { code?: string; message?: string };
  if (/PEER_DID_NOT_RETURN_A_CERTIFICATE/.test(code)) return "no_certificate";
  if (/CERT|VERIFY|SELF_SIGNED|ISSUER|UNKNOWN_CA/i.test(code)) return "untrusted";
  return /ECONNRESET|EPIPE|socket hang up/i.test(`${code} ${message}`) ? "closed" : "protocol";
}

/** Counts a connection while it is open. Returns whether its address may have it. */
function admit(guard: ConnectionGuard, socket: Socket): boolean {
  const address = socket.remoteAddress ?? "";
  // Whoever is on this machine could do worse; without TLS nobody else is let in.
  if (!guard.isSecure && isLoopback({ host: address.replace("::ffff:", ""), port: 0 })) return true;
  const { open, limits } = guard;
  const count = (open.get(address) ?? 0) + 1;
  if (count > limits.connections_per_address) return false;
  open.set(address, count);
  socket.once("close", () => {
    const left = (open.get(address) ?? 1) - 1;
    if (left > 0) open.set(address, left);
    else open.delete(address);
  });
  return true;
}

const handshakes = new WeakMap<object, NodeJS.Timeout>();

function receiveConnection(guard: ConnectionGuard, socket: Socket): void {
  guard.sockets.add(socket);
  socket.once("close", () => guard.sockets.delete(socket));
  if (!admit(guard, socket)) {
    noteFailure(guard, "too_many", socket.remoteAddress);
    socket.destroy();
    return;
  }
  if (!guard.isSecure) return;
  const { remoteAddress } = socket;
  const timer = setTimeout(() => {
    noteFailure(guard, "too_slow", remoteAddress);
    socket.destroy();
  }, deadlines.handshake);
  // Neither deadline holds up the end of the process.
  timer.unref();
  handshakes.set(socket, timer);
  socket.once("close", () => clearTimeout(timer));
}

/** The TCP socket below a TLS one, which is all that tells the two events apart. */
function findBelow(secure: object): object {
  const parent: unknown = Reflect.get(secure, "_parent");
  return typeof parent === "object" && parent !== null ? parent : secure;
}

function receiveSession(guard: ConnectionGuard, session: ServerHttp2Session): void {
  const { remoteAddress } = session.socket;
  const timer = setTimeout(() => {
    noteFailure(guard, "silent", remoteAddress);
    session.destroy();
  }, deadlines.stream);
  timer.unref();
  session.once("stream", () => clearTimeout(timer));
  session.once("close", () => clearTimeout(timer));
}

/** Finds the HTTP/2 servers of a gRPC server that listens. */
function findServers(server: Server): EventEmitter[] {
  const found: unknown = Reflect.get(server, "http2Servers");
  if (found instanceof Map && found.size > 0) return [...found.keys()] as EventEmitter[];
  throw new FleetmarkError("INTERNAL", "the gRPC library keeps its HTTP/2 servers elsewhere: connections can't be bounded");
}

/**
 * Bounds the connections of a gRPC server that listens.
 * @param isSecure whether it speaks TLS
 * @returns what cuts off all that are open: the library passes over those that never said anything
 */
export function guardConnections(
  server: Server,
  { limits, isSecure, metrics, logger }: Pick<ConnectionGuard, "limits" | "isSecure" | "metrics" | "logger">,
): () => void {
  const guard: ConnectionGuard = {
    limits,
    isSecure,
    metrics,
    logger,
    frames: createFrameMeter(frameLimits, (reason) => noteFailure(guard, reason, undefined)),
    sockets: new Set(),
    open: new Map(),
    untold: new Map(),
    toldMs: Number.NEGATIVE_INFINITY,
  };
  for (const each of findServers(server)) {
    each.on("connection", (socket: Socket) => receiveConnection(guard, socket));
    each.on("secureConnection", (secure: object) => clearTimeout(handshakes.get(findBelow(secure))));
    each.on("tlsClientError", (thrown: unknown, secure: Socket) => {
      clearTimeout(handshakes.get(findBelow(secure)));
      noteFailure(guard, readReason(thrown), secure.remoteAddress);
    });
    each.on("session", (session: ServerHttp2Session) => receiveSession(guard, session));
    each.on("stream", (stream: ServerHttp2Stream) => {
      meterStream(guard.frames, stream, () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
    });
  }
  return () => {
    for (const socket of guard.sockets) socket.destroy();
  };
}
