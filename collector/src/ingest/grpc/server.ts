import type { TlsFiles } from "@fleetmark/shared/config/tls";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { fleetService } from "@fleetmark/shared/wire/frames";
import { logVerbosity, Server, type ServerCredentials, setLogVerbosity, status } from "@grpc/grpc-js";
import { explainListenFailure } from "../../platform/listen.js";
import type { IngestLimits } from "../limits.js";
import { openSession } from "./agent-frames.js";
import { guardConnections } from "./connections.js";
import { openGrpcCredentials } from "./credentials.js";
import { createHealth, healthService } from "./health.js";
import { type AgentCall, endSession, refuseSession, type Session, type SessionContext } from "./session.js";

/** Where agents attach, and what proves the names on both sides. */
export interface GrpcIngestConfig {
  readonly listen: Address;
  readonly tls: TlsFiles;
}

export interface GrpcIngestOptions extends Omit<SessionContext, "mutual" | "sessions"> {
  readonly config: GrpcIngestConfig;
  /** Says why the store takes no writes, if it takes none: its word is the server's health. */
  readonly findFailure: () => string | undefined;
}

/** The gRPC port where agents attach. Stopped, it ends every stream as UNAVAILABLE, and the server. */
export interface GrpcIngest extends Running {
  readonly address: Address;
  /** Takes no new stream and looks at no further frame. */
  stopReading(): void;
}

/** A server that listens, and whether it takes new streams. */
interface GrpcServer {
  readonly server: Server;
  readonly context: SessionContext;
  accepting: boolean;
}

/**
 * How much larger than the largest batch a frame may be: then the batch can still be rejected by its id, and its agent
 * goes on.
 */
const frameAllowance = 4;
/**
 * Open streams for each host that may be there: a host that comes back is there twice, until the elder stream has
 * ended.
 */
const streamsPerHost = 2;
/** An agent has one, beside it health checks. */
const streamsPerConnection = 16;
/** Between two looks for streams whose certificate has ended. */
const sweepMs = 10_000;
/** What a clean end of the streams may take, before the connections are cut. */
const shutdownWithinMs = 250;

function createServer(limits: IngestLimits): Server {
  return new Server({
    "grpc.max_receive_message_length": limits.max_batch_bytes * frameAllowance,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_concurrent_streams": streamsPerConnection,
    "grpc.max_connection_idle_ms": 300_000,
    // Its statistics of every connection would cost more memory than all we know of an agent.
    "grpc.enable_channelz": 0,
  });
}

function bind(server: Server, address: Address, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatAddress(address), credentials, (error, port) => {
      if (error === null) {
        resolve(port);
        return;
      }
      reject(explainListenFailure("gRPC", address, error));
    });
  });
}

function createStopping(): FleetmarkError {
  return new FleetmarkError("COLLECTOR_UNREACHABLE", "the collector is stopping");
}

/** Opens a session for an agent that calls, if there is room for one. */
function acceptCall(call: AgentCall, { accepting, context }: GrpcServer): void {
  const { sessions, limits, metrics } = context;
  if (!accepting) {
    call.emit("error", { code: status.UNAVAILABLE, details: createStopping().message });
  } else if (sessions.size >= limits.max_hosts * streamsPerHost) {
    metrics.streamsRefused.inc({ code: "HOSTS_TOO_MANY" });
    call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: `${sessions.size} streams are open` });
  } else {
    openSession(call, context);
  }
}

/** Ends the streams of agents whose certificates have ended since they were opened. */
function endExpired({ sessions }: SessionContext, nowMs: number): void {
  for (const session of sessions) {
    const { certificateEndsMs, source } = session;
    if (certificateEndsMs === undefined || certificateEndsMs > nowMs) continue;
    const message = `the certificate of ${source?.host ?? "the agent"} expired on ${new Date(certificateEndsMs).toISOString()}`;
    refuseSession(session, new FleetmarkError("TLS_EXPIRED", message));
  }
}

async function stopServer({ server, context }: GrpcServer, cutConnections: () => void): Promise<void> {
  for (const session of context.sessions) endSession(session, status.UNAVAILABLE, createStopping());
  const cut = setTimeout(() => {
    server.forceShutdown();
    cutConnections();
  }, shutdownWithinMs);
  await new Promise<void>((resolve) => {
    server.tryShutdown(() => resolve());
  });
  clearTimeout(cut);
}

/**
 * Starts the gRPC server. Port 0 takes a free one.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, PORT_TAKEN, LISTEN_FAILED
 */
export async function startGrpcIngest({ config, findFailure, ...shared }: GrpcIngestOptions): Promise<GrpcIngest> {
  // The library would print to standard error, among the events, what its callbacks report as well.
  setLogVerbosity(logVerbosity.NONE);
  const credentials = openGrpcCredentials(config.tls, shared.logger);
  const context: SessionContext = { ...shared, mutual: credentials.mutual, sessions: new Set<Session>() };
  const grpc: GrpcServer = { server: createServer(shared.limits), context, accepting: true };
  const isServing = (): boolean => grpc.accepting && findFailure() === undefined;
  grpc.server.addService(fleetService, { attach: (call: AgentCall) => acceptCall(call, grpc) });
  grpc.server.addService(healthService, createHealth(isServing));
  const port = await bind(grpc.server, config.listen, credentials.server).catch((thrown) => {
    credentials.close();
    throw thrown;
  });
  const cutConnections = guardConnections(grpc.server, {
    limits: shared.limits,
    isSecure: config.tls.cert_file !== undefined,
    metrics: shared.metrics,
    logger: shared.logger,
  });
  const sweeping = setInterval(() => endExpired(context, Date.now()), sweepMs);
  sweeping.unref();
  const stopReading = (): void => {
    grpc.accepting = false;
    for (const session of context.sessions) session.reading = false;
  };
  return {
    address: { host: config.listen.host, port },
    stopReading,
    stop: once(async () => {
      stopReading();
      clearInterval(sweeping);
      await stopServer(grpc, cutConnections);
      credentials.close();
    }),
  };
}
