import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll } from "vitest";
import { findFreePort, type Server, startServer } from "./servers.js";

/** A real nats-server with JetStream in a folder of its own. */
export interface NatsServer extends Omit<Server, "url" | "otherPort"> {
  /** Where clients connect: `nats://127.0.0.1:PORT`. */
  readonly url: string;
  /** Its monitoring over HTTP. */
  readonly monitor: string;
}

export interface NatsOptions {
  /** Lines for its configuration file, read anew at each start. */
  readonly config?: () => string;
  readonly name?: string;
}

export async function startNats({ config = () => "", name = "single" }: NatsOptions = {}): Promise<NatsServer> {
  const server = await startServer({
    program: "nats-server",
    args: (folder, port, otherPort) => {
      const path = join(folder, "nats.conf");
      const lines = [
        `server_name: ${name}`,
        `listen: "127.0.0.1:${otherPort}"`,
        `http: "127.0.0.1:${port}"`,
        `jetstream { store_dir: ${JSON.stringify(join(folder, "jetstream"))}, max_mem: 64MB, max_file: 8GB }`,
      ];
      writeFileSync(path, `${lines.join("\n")}\n${config()}\n`);
      return ["-c", path];
    },
    environment: () => ({}),
    health: "/healthz",
  });
  return { ...server, url: `nats://127.0.0.1:${server.otherPort}`, monitor: server.url };
}

/** Starts a cluster of three. */
export async function startNatsCluster(config = ""): Promise<NatsServer[]> {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()];
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(", ");
  const route = (port: number): string => `cluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }\n${config}`;
  return Promise.all(ports.map((port, i) => startNats({ config: () => route(port), name: `n${i + 1}` })));
}

/** Connects as a plain client, to look or to meddle. */
export function connectNats(server: NatsServer): Promise<NatsConnection> {
  return connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
}

/** A server for all tests of a group, and a plain client of it. Both are there once the group's tests begin. */
export interface SharedNats {
  readonly server: NatsServer;
  readonly nc: NatsConnection;
}

/** Starts a server before the first test of a group, and ends it after the last. */
export function shareNats(): SharedNats {
  let started: SharedNats | undefined;
  const get = (): SharedNats => {
    if (started === undefined) throw new Error("the server is not there before the tests begin");
    return started;
  };
  beforeAll(async () => {
    const server = await startNats();
    started = { server, nc: await connectNats(server) };
  });
  afterAll(async () => {
    await started?.nc.close();
    await started?.server.remove();
  });
  return {
    get server() {
      return get().server;
    },
    get nc() {
      return get().nc;
    },
  };
}
