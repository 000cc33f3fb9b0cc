import { readTlsFiles } from "@fleetmark/shared/config/tls";
import { checkNatsFiles } from "@fleetmark/shared/nats/connection";
import type { AgentConfig } from "../config.js";
import type { Link, LinkParts } from "../delivery/link.js";

/**
 * Loads the configured link with its client library, and only that one: each costs every agent megabytes. The files that it will read
 * at each connection are checked, for a mistake is to be told at once.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, NATS_SECRET_INVALID
 */
export async function loadLink({ link, collector, nats }: AgentConfig): Promise<(parts: LinkParts) => Link> {
  if (link === "nats") {
    const [{ openNatsLink }, library] = await Promise.all([import("./nats-link.js"), import("@nats-io/transport-node")]);
    checkNatsFiles(nats, library);
    return (parts) => openNatsLink({ ...parts, config: nats, library });
  }
  readTlsFiles(collector.tls, "collector.tls");
  const { openGrpcLink } = await import("./grpc-link.js");
  return (parts) => openGrpcLink({ ...parts, ...collector });
}
