import { isIP } from "node:net";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { chooseBackoff } from "../backoff.js";
import { readTlsFiles } from "../config/tls.js";
import { errorMessage, FleetmarkError } from "../errors.js";
import type { Running } from "../lifecycle.js";
import { formatAddress } from "../model/units.js";
import { createPause, type Pause, waitAtMost } from "../waiting.js";
import { type NatsConfig, type NatsServer, parseNatsServer, wantsTls } from "./config.js";
import { readNatsSecrets } from "./secrets.js";

/**
 * The client, handed in by who uses it: nothing of this package loads it, so who uses another link does without its
 * memory.
 */
export type NatsLibrary = typeof import("@nats-io/transport-node");

export interface NatsKeeperOptions {
  readonly library: NatsLibrary;
  readonly config: NatsConfig;
  /** What the server's own monitoring shows for this client. */
  readonly name: string;
  readonly inboxPrefix: string;
  /** A connection is up. Everything that was subscribed on the one before went with it. */
  onUp(connection: NatsConnection): void;
  /** The connection is gone, or could not be made; another attempt follows. */
  onDown(reason: FleetmarkError, attempt: number): void;
  /** The server refused something that the connection asked for. The connection goes on. */
  onDenied(reason: FleetmarkError): void;
}

/** Keeps a connection to a NATS server for as long as it is wanted. Stopping it sends what is under way first. */
export interface NatsKeeper extends Running {
  /** The connection that is up now. */
  current(): NatsConnection | undefined;
  /** Gives up the present connection; another attempt follows. */
  reconnect(): void;
}

/** Milliseconds. A peer that is gone without a word is noticed after two unanswered pings. */
const timing = { connect: 5000, ping: 10_000, unansweredPings: 2, flush: 250, stable: 10_000 } as const;

function makeOptions(options: NatsKeeperOptions, server: NatsServer): NodeConnectionOptions {
  const { library, config, name, inboxPrefix } = options;
  const { address } = server;
  const files = readTlsFiles(config.tls, "nats.tls");
  const tls = {
    ca: files?.ca?.toString(),
    cert: files?.identity?.cert.toString(),
    key: files?.identity?.key.toString(),
    // Over a socket that is connected already, Node would check the certificate of an IP address for "localhost".
    ...(isIP(address.host) !== 0 ? { host: address.host } : {}),
  };
  const authenticator = readNatsSecrets(config, library);
  return {
    servers: [formatAddress(address)],
    name,
    inboxPrefix,
    timeout: timing.connect,
    pingInterval: timing.ping,
    maxPingOut: timing.unansweredPings,
    // The library would buffer what is published while it is away, and send it late and twice.
    reconnect: false,
    ...(authenticator === undefined ? {} : { authenticator }),
    // With TLS options the library refuses a server that offers none; without them it still takes up what a server
    // demands.
    ...(wantsTls(config) ? { tls } : {}),
  };
}

function explainFailure(thrown: unknown, server: NatsServer, { errors }: NatsLibrary): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  const where = formatAddress(server.address);
  const cause = thrown ?? undefined;
  if (thrown instanceof errors.AuthorizationError || thrown instanceof errors.UserAuthenticationExpiredError) {
    return new FleetmarkError("NATS_REFUSED", `${where}: ${thrown.message}`, { cause });
  }
  const what = cause === undefined ? "the connection was closed" : errorMessage(thrown);
  return new FleetmarkError("NATS_UNREACHABLE", `${where}: ${what}`, { cause });
}

/**
 * Checks the files that a configuration names, so that a daemon can refuse to start.
 * @throws FleetmarkError NATS_SECRET_INVALID, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function checkNatsFiles(config: NatsConfig, library: NatsLibrary): void {
  readTlsFiles(config.tls, "nats.tls");
  readNatsSecrets(config, library);
}

/** Tells of permissions that the server withholds. The stream of its events ends with the connection. */
async function watchDenials(
  connection: NatsConnection,
  library: NatsLibrary,
  onDenied: NatsKeeperOptions["onDenied"],
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type !== "error" || !(status.error instanceof library.errors.PermissionViolationError)) continue;
    const { operation, subject } = status.error;
    onDenied(new FleetmarkError("NATS_DENIED", `the NATS server does not let this user ${operation} to ${subject}`));
  }
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

interface State {
  readonly options: NatsKeeperOptions;
  readonly servers: readonly NatsServer[];
  /** Between two attempts. */
  readonly pause: Pause;
  connection: NatsConnection | undefined;
  stopped: boolean;
}

/** Connects, and resolves with the reason when the connection has ended. */
async function runConnection(state: State, server: NatsServer): Promise<FleetmarkError> {
  const { library, onDenied, onUp } = state.options;
  try {
    const made = await library.connect(makeOptions(state.options, server));
    if (state.stopped) {
      await made.close();
    } else {
      state.connection = made;
      void watchDenials(made, library, onDenied);
      onUp(made);
    }
    return explainFailure(await made.closed(), server, library);
  } catch (thrown) {
    return explainFailure(thrown, server, library);
  } finally {
    state.connection = undefined;
  }
}

async function connectAgainAndAgain(state: State): Promise<void> {
  const { servers, options } = state;
  let attempt = 0;
  for (let turn = 0; !state.stopped; turn++) {
    const began = performance.now();
    const reason = await runConnection(state, servers[turn % servers.length]);
    if (state.stopped) return;
    // A server that takes connections only to end them is not hammered.
    if (performance.now() - began > timing.stable) attempt = 0;
    options.onDown(reason, attempt);
    await state.pause.wait(chooseBackoff(attempt, Math.random()));
    attempt++;
  }
}

async function stopKeeping(state: State): Promise<void> {
  state.stopped = true;
  state.pause.end();
  const open = state.connection;
  if (open === undefined) return;
  await waitAtMost(open.flush(), timing.flush / 1e3);
  await open.close();
}

/**
 * Connects to one of the servers in turn, again and again, until it is stopped. It never gives up: a wrong password may
 * be mended on the server, and files are read anew at each attempt.
 */
export function keepNatsConnected(options: NatsKeeperOptions): NatsKeeper {
  const servers = shuffle(options.config.servers.flatMap((text) => parseNatsServer(text) ?? []));
  const state: State = { options, servers, pause: createPause(), connection: undefined, stopped: false };
  void connectAgainAndAgain(state);
  return {
    current: () => state.connection,
    reconnect: () => void state.connection?.close(),
    stop: () => stopKeeping(state),
  };
}
