import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { fleetService } from "@fleetmark/shared/wire/frames";
import { logVerbosity, Server, type ServerCredentials, setLogVerbosity, status } from "@grpc/grpc-js";
import type { GrpcConfig, IngestLimits } from "../../config.js";
import { explainListenFailure } from "../../platform/listen.js";
import { openGrpcCredentials } from "./credentials.js";
import { createHealth, healthService } from "./health.js";
import { openSession } from "./session.js";
import { type AgentCall, endStream, type StreamParts } from "./stream.js";

/** The gRPC port where agents attach. */
export interface GrpcIngest {
  readonly address: Address;
  /** Takes no new stream and looks at no further frame. */
  stopReading(): void;
  /** Ends every stream as UNAVAILABLE, and the server. */
  close(): Promise<void>;
}

/** How much larger than the largest batch a frame may be: then the batch can still be rejected by its id, and its agent goes on. */
const frameAllowance = 4;
/** Open streams for each host that may be there: a host that comes back is there twice, until the elder stream has ended. */
const streamsPerHost = 2;
/** What a clean end of the streams may take, before the connections are cut. */
const shutdownWithinMs = 250;

function createServer(limits: IngestLimits): Server {
  return new Server({
    "grpc.max_receive_message_length": limits.max_batch_bytes * frameAllowance,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
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

/**
 * Starts the gRPC server. Port 0 takes a free one.
 * @param findFailure says why the store takes no writes, if it takes none: its word is the server's health
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, PORT_TAKEN, LISTEN_FAILED
 */
export async function startGrpcIngest(
  { listen, tls }: GrpcConfig,
  parts: StreamParts,
  findFailure: () => string | undefined,
): Promise<GrpcIngest> {
  // The library would print to standard error, among the events, what its callbacks report as well.
  setLogVerbosity(logVerbosity.NONE);
  const credentials = openGrpcCredentials(tls, parts.logger);
  const server = createServer(parts.limits);
  let accepting = true;
  const unavailable = (): FleetmarkError => new FleetmarkError("COLLECTOR_UNREACHABLE", "the collector is stopping");
  server.addService(fleetService, {
    attach: (call: AgentCall) => {
      if (!accepting) call.emit("error", { code: status.UNAVAILABLE, details: unavailable().message });
      else if (parts.streams.size >= parts.limits.max_hosts * streamsPerHost) {
        parts.metrics.streamsRefused.inc({ code: "HOSTS_TOO_MANY" });
        call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: `${parts.streams.size} streams are open` });
      } else openSession(call, parts, credentials.mutual);
    },
  });
  server.addService(
    healthService,
    createHealth(() => accepting && findFailure() === undefined),
  );
  const port = await bind(server, listen, credentials.server).catch((thrown) => {
    credentials.close();
    throw thrown;
  });
  return {
    address: { host: listen.host, port },
    stopReading: () => {
      accepting = false;
      for (const stream of parts.streams) stream.reading = false;
    },
    close: async () => {
      for (const stream of parts.streams) endStream(stream, status.UNAVAILABLE, unavailable());
      const cut = setTimeout(() => server.forceShutdown(), shutdownWithinMs);
      await new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve());
      });
      clearTimeout(cut);
      credentials.close();
    },
  };
}
