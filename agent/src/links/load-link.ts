import type { Address } from "@fleetmark/shared/config/config";
import { readTlsFiles, type TlsFiles } from "@fleetmark/shared/config/tls";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { NatsConfig } from "@fleetmark/shared/nats/config";
import { checkNatsFiles } from "@fleetmark/shared/nats/connection";
import type { Link } from "../delivery/link.js";
import type { LinkOptions } from "./link-options.js";

/** What an agent's configuration says of its link. */
export interface LinkConfig {
  readonly link: "grpc" | "nats";
  readonly collector: { readonly address: Address; readonly tls: TlsFiles };
  readonly nats: NatsConfig;
}

/** A certificate that has expired stops the sending, which says so, and not the measuring. */
function allowExpired(check: () => unknown): void {
  try {
    check();
  } catch (thrown) {
    if (!(thrown instanceof FleetmarkError && thrown.code === "TLS_EXPIRED")) throw thrown;
  }
}

/**
 * Loads the configured link with its client library, and only that one: each costs every agent megabytes. The files
 * that it will read at each connection are checked, for a mistake is to be told at once.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, NATS_SECRET_INVALID
 */
export async function loadLink({ link, collector, nats }: LinkConfig): Promise<(options: LinkOptions) => Link> {
  if (link === "nats") {
    const [{ startNatsLink }, library] = await Promise.all([import("./nats-link.js"), import("@nats-io/transport-node")]);
    allowExpired(() => checkNatsFiles(nats, library));
    return (options) => startNatsLink({ ...options, config: nats, library });
  }
  allowExpired(() => readTlsFiles(collector.tls, "collector.tls"));
  const { startGrpcLink } = await import("./grpc-link.js");
  return (options) => startGrpcLink({ ...options, ...collector });
}
