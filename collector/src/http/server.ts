import type { Server as SecureServer } from "node:https";
import fastifySwagger from "@fastify/swagger";
import { healthAnswer, notReadyAnswer, readyAnswer } from "@fleetmark/shared/api/answers";
import type { TlsFiles, TlsMaterial } from "@fleetmark/shared/config/tls";
import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Kpi } from "@fleetmark/shared/model/kpis";
import type { Address } from "@fleetmark/shared/model/units";
import type { AuditRecord } from "@fleetmark/shared/records/audit";
import { version } from "@fleetmark/shared/version";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyServerOptions } from "fastify";
import type { Alerting } from "../alerts/alerting.js";
import type { Fleet } from "../fleet/fleet.js";
import { explainListenFailure } from "../platform/listen.js";
import { openLiveTls } from "../platform/live-tls.js";
import type { StoreReader } from "../store/store.js";
import type { Metrics } from "../telemetry/metrics.js";
import { addAlertRoutes } from "./alert-routes.js";
import { addApi } from "./api.js";
import { addControlRoutes, type Control } from "./control-routes.js";
import { checkHostName } from "./host-names.js";
import { addJudgementRoutes, type Deciding } from "./judgement-routes.js";
import { createChanges } from "./routing/changes.js";
import { addAnswerHooks } from "./routing/long-answers.js";
import { noQuery } from "./routing/queries.js";
import { createReadBudget } from "./routing/read-budget.js";
import { addRoute, type Identify, nobody, type Router, requireRole } from "./routing/route.js";

/** What the HTTP server shows. */
export interface HttpOptions {
  readonly store: StoreReader;
  readonly fleet: Fleet;
  /** What KPIs there are; default: those of the project. */
  readonly kpis?: readonly Kpi[];
  readonly metrics: Metrics;
  readonly logger: Logger;
  /**
   * What keeps the collector from its work at the moment, in words that strangers may read; undefined when nothing
   * does.
   */
  readonly findObstacle: () => string | undefined;
  /** What is not as it should be while the collector works all the same. */
  readonly findTroubles: () => readonly string[];
  /**
   * Tells who asks. Unless it is given everyone is a reader: who can reach a loopback address may look.
   */
  readonly identify?: Identify;
  /** Keeps who changed something. */
  readonly audit?: (record: Omit<AuditRecord, "collector" | "time_us">) => void;
  /** What hosts can be asked through it; default: nothing. */
  readonly control?: Control;
  /** What results are compared with; default: neither that nor verdicts can be asked for. */
  readonly deciding?: Deciding;
  /** What is told of; default: alerts can't be asked for. */
  readonly alerting?: Alerting;
  /** Names beside this machine's own by which requests without TLS may come. */
  readonly allowedHosts?: readonly string[];
  /** What proves the server's name; without it plain HTTP. */
  readonly tls?: TlsFiles;
}

export interface HttpServer extends Running {
  readonly address: Address;
}

/** An application, whose endpoints may be added to until it listens. */
interface App {
  readonly router: Router;
  /** Stops watching the TLS files. */
  close(): void;
}

function sendError(reply: FastifyReply, status: number, error: FleetmarkError): void {
  void reply.code(status).send({ code: error.code, message: error.message, remedy: error.remedy });
}

/** Errors that are told to the caller in full, with their status. */
const statusOfErrors: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  FORBIDDEN: 403,
  HTTP_HOST_UNKNOWN: 403,
  READS_TOO_MANY: 503,
  REQUESTS_TOO_MANY: 429,
  HOST_UNKNOWN: 404,
  CAMPAIGN_UNKNOWN: 404,
  BENCHMARK_UNKNOWN: 404,
  RUN_UNKNOWN: 404,
  HOST_ABSENT: 409,
  CAMPAIGNS_TOO_MANY: 409,
  COMMANDS_TOO_MANY: 409,
  COMMAND_TIMED_OUT: 504,
};

/** Errors that the caller can mend are told in full, all others only to the log. */
function addErrorHandlers(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((thrown, request, reply) => {
    const status = (thrown as { statusCode?: number }).statusCode ?? 500;
    const told = thrown instanceof FleetmarkError ? statusOfErrors[thrown.code] : undefined;
    if (thrown instanceof FleetmarkError && thrown.code === "READS_TOO_MANY")
      void reply.header("retry-after", String(retryAfterS));
    if (thrown instanceof FleetmarkError && told !== undefined) {
      sendError(reply, told, thrown);
    } else if (status >= 400 && status < 500) {
      sendError(reply, status, new FleetmarkError("REQUEST_INVALID", errorMessage(thrown)));
    } else {
      logger.error({ event: "request_failed", url: request.url, err: thrown }, "a request failed");
      const failed = thrown instanceof FleetmarkError && thrown.code === "STORE_FAILED";
      sendError(
        reply,
        500,
        new FleetmarkError(failed ? "STORE_FAILED" : "INTERNAL", "the collector could not answer; its log says why"),
      );
    }
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0];
    const allowed = (["GET", "POST", "PUT", "DELETE"] as const).filter((method) => app.hasRoute({ method, url: path }));
    if (allowed.length > 0) {
      void reply.header("allow", [...allowed, ...(allowed.includes("GET") ? ["HEAD"] : [])].join(", "));
      sendError(reply, 405, new FleetmarkError("METHOD_UNKNOWN", `${path.slice(0, 200)} takes no ${request.method}`));
      return;
    }
    sendError(
      reply,
      404,
      new FleetmarkError("ROUTE_UNKNOWN", `there is no ${request.method} ${request.url.split("?")[0].slice(0, 200)}`),
    );
  });
}

type HealthOptions = Pick<HttpOptions, "metrics" | "findObstacle" | "findTroubles">;

function addHealth(router: Router, { metrics, findObstacle, findTroubles }: HealthOptions): void {
  addRoute(router, {
    path: "/healthz",
    isLight: true,
    role: null,
    summary: "Whether the process is alive",
    query: noQuery,
    answers: { 200: healthAnswer },
    answer: async () => ({ status: "ok" }),
  });
  addRoute(router, {
    path: "/readyz",
    isLight: true,
    role: null,
    summary: "Whether batches can be committed",
    query: noQuery,
    answers: { 200: readyAnswer, 503: notReadyAnswer },
    answer: async (_, reply) => {
      const obstacle = findObstacle();
      if (obstacle === undefined) return { status: "ready", troubles: [...findTroubles()] };
      reply.code(503);
      return { status: "not_ready", reason: `${obstacle}; the log says why` };
    },
  });
  const body = { "text/plain": { schema: { type: "string" } } };
  const text = { 200: { description: "Prometheus text format", content: body } };
  const schema = { summary: "What the collector counts of itself", operationId: "getMetrics", response: text };
  router.app.get("/metrics", { schema, onRequest: requireRole(router, "read") }, async (_, reply) => {
    void reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });
}

/** Seconds after which who was refused may ask again. */
const retryAfterS = 2;
/** A reader that takes nothing for so long is cut off, milliseconds. */
const stalledAfterMs = 30_000;
const mostConnections = 1024;

/** What a TLS handshake may take, milliseconds. */
const handshakeWithinMs = 10_000;

function createFastify(logger: Logger, tls?: TlsMaterial): FastifyInstance {
  const https = tls === undefined ? null : { ...tls.identity, handshakeTimeout: handshakeWithinMs };
  const app = Fastify({
    https,
    forceCloseConnections: true,
    connectionTimeout: stalledAfterMs,
    requestTimeout: stalledAfterMs,
    frameworkErrors: (error, _, reply) =>
      sendError(reply, error.statusCode ?? 400, new FleetmarkError("REQUEST_INVALID", error.message)),
  } as FastifyServerOptions);
  // Queries and bodies are checked by the zod schemas from which the documentation is made (see addRoute).
  app.setValidatorCompiler(() => () => true);
  app.server.maxConnections = mostConnections;
  addErrorHandlers(app, logger);
  return app;
}

const anyoneReads: Identify = () => nobody;

/**
 * Makes the application.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function createApp(options: HttpOptions): Promise<App> {
  const { logger, tls: files = {} } = options;
  const tls = openLiveTls(files, "http.tls", logger, (changed) => {
    (app.server as SecureServer).setSecureContext(changed.identity ?? {});
  });
  const app = createFastify(logger, tls.material);
  // Over TLS a stranger's name fails at the certificate.
  if (tls.material === undefined)
    app.addHook("onRequest", async (request) => checkHostName(request.headers.host, options.allowedHosts ?? []));
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Fleetmark collector",
        version,
        description:
          "What the hosts of a fleet measured, read with GET by whoever reaches the collector; and what changes something, which takes a token.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
  });
  const budget = createReadBudget();
  addAnswerHooks(app, budget);
  const router: Router = {
    app,
    identify: options.identify ?? anyoneReads,
    budget,
    changes: createChanges(options.audit ?? (() => {}), () => performance.now()),
  };
  addHealth(router, options);
  addApi(router, options.store, options.fleet, options.kpis);
  if (options.control !== undefined) addControlRoutes(router, options.control);
  if (options.deciding !== undefined) addJudgementRoutes(router, options.store, options.deciding);
  if (options.alerting !== undefined) addAlertRoutes(router, options.alerting);
  app.get("/api/v1/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  return { router, close: tls.close };
}

async function listenAt(app: FastifyInstance, listen: Address): Promise<HttpServer> {
  try {
    await app.listen({ host: listen.host, port: listen.port });
  } catch (thrown) {
    await app.close();
    throw explainListenFailure("HTTP", listen, thrown);
  }
  const bound = app.server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : listen.port;
  return { address: { host: listen.host, port }, stop: once(() => app.close()) };
}

/**
 * Starts the HTTP server. Port 0 takes a free one.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, PORT_TAKEN, LISTEN_FAILED
 */
export async function startHttpServer(listen: Address, options: HttpOptions): Promise<HttpServer> {
  const { router, close } = await createApp(options);
  try {
    const { address, stop } = await listenAt(router.app, listen);
    return { address, stop: () => stop().finally(close) };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/**
 * Starts a server of health and metrics alone, for orchestrators and Prometheus on other machines: it tells nothing
 * that hosts measured.
 * @throws FleetmarkError PORT_TAKEN, LISTEN_FAILED
 */
export async function startProbeServer(
  listen: Address,
  options: HealthOptions & Pick<HttpOptions, "logger">,
): Promise<HttpServer> {
  const app = createFastify(options.logger);
  const changes = createChanges(
    () => {},
    () => performance.now(),
  );
  addHealth({ app, identify: anyoneReads, budget: createReadBudget(), changes }, options);
  return listenAt(app, listen);
}
