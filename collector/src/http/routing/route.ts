import { errorAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Caller, includesRole, type Role } from "../../access/roles.js";
import type { Changes } from "./changes.js";
import { sendAnswer } from "./long-answers.js";
import { askInTurn, type ReadBudget } from "./read-budget.js";

/**
 * Tells who sent a request that takes a role; undefined for one whose token is nobody's, unless nobody may do it too.
 */
export type Identify = (request: FastifyRequest, needed: Role | null) => Caller | undefined;

/** Where endpoints are added. */
export interface Router {
  readonly app: FastifyInstance;
  readonly identify: Identify;
  /** What answers from the store may take. */
  readonly budget: ReadBudget;
  readonly changes: Changes;
}

/** A request as an endpoint sees it: checked by the endpoint's schemas. */
export interface Asked<Q extends z.ZodType, B extends z.ZodType> {
  readonly query: z.infer<Q>;
  /** Undefined where the endpoint takes none. */
  readonly body: z.infer<B>;
  readonly caller: Caller;
}

/** One endpoint: what it may be asked and by whom, what it answers, and how. */
export interface Route<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined> {
  /** GET unless it is given. */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly summary: string;
  /** Who may ask: read unless it is given; anyone at all may where it is null. */
  readonly role?: Role | null;
  readonly query: Q;
  readonly body?: B;
  /** The largest body that it takes; default: 64 KiB. */
  readonly maxBodyBytes?: number;
  /** Whether it asks no store, and is answered at once whatever else is asked. */
  readonly isLight?: true;
  /** Answers by status code. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Returns the answer; a status other than 200 is set on the reply. */
  answer(asked: Asked<Q, B>, reply: FastifyReply): Promise<unknown>;
}

/** The largest body that an endpoint takes unless it says so: what people send are a few settings. */
const usualBodyBytes = 64 * 1024;

/** JSON Schema as Fastify and OpenAPI 3.1 both take it. */
function toSchema(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, target: "draft-7", unrepresentable: "any" });
  return json;
}

/** @throws FleetmarkError REQUEST_INVALID naming each key that is wrong */
function parse<S extends z.ZodType>(schema: S, given: unknown, where: readonly string[]): z.infer<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues.map((issue) => [...where, ...issue.path, issue.message].join(": ")).join("; ");
  throw new FleetmarkError("REQUEST_INVALID", message);
}

/** Who shows no token, where that is enough. */
export const nobody: Caller = { name: "nobody", role: "read" };

/** @throws FleetmarkError FORBIDDEN when whoever asks may not */
function findCaller({ identify }: Router, needed: Role | null, request: FastifyRequest): Caller {
  const found = identify(request, needed);
  if (needed === null) return found ?? nobody;
  if (found === undefined) throw new FleetmarkError("FORBIDDEN", "the request carries no token that is known here");
  if (includesRole(found.role, needed)) return found;
  throw new FleetmarkError("FORBIDDEN", `this takes the role ${needed}; the request has the role ${found.role}`);
}

/**
 * Makes the check that a request must pass before its body is read: strangers must not make the collector read it.
 * @throws FleetmarkError FORBIDDEN when whoever asks may not
 */
export function requireRole(router: Router, needed: Role | null): (request: FastifyRequest) => Promise<void> {
  return async (request) => void findCaller(router, needed, request);
}

/** Names what an endpoint does, for generated clients: `getRecordsRunWindow`. */
function nameOperation(method: string, path: string): string {
  const words = path
    .replace("/api/v1/", "")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => word[0].toUpperCase() + word.slice(1)).join("");
}

/** Keeps who changed something, or tried to, once it is answered. */
function auditWith({ identify, changes }: Router, action: string, role: Role | null) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const asked = request.body === undefined || request.body === null ? "" : JSON.stringify(request.body);
    changes.audit({ action, caller: identify(request, role), status: reply.statusCode, detail: asked });
  };
}

/**
 * Adds an endpoint. Its query and body are checked by the schemas that document it, and any of its answers but 200 is
 * an error.
 */
export function addRoute<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined>(router: Router, route: Route<Q, B>): void {
  const { method = "GET", path, summary, role = "read", query, body } = route;
  const isChange = method !== "GET";
  const forbidden: Record<number, z.ZodType> = role === null ? {} : { 403: errorAnswer };
  const hurried: Record<number, z.ZodType> = isChange ? { 429: errorAnswer } : {};
  const crowded: Record<number, z.ZodType> = route.isLight ? {} : { 503: errorAnswer };
  const list = route.answers[200];
  const itemSchema = list instanceof z.ZodArray ? toSchema(list.element as z.ZodType, "output") : undefined;
  const answers: Record<number, z.ZodType> = {
    400: errorAnswer,
    ...forbidden,
    ...hurried,
    500: errorAnswer,
    ...crowded,
    ...route.answers,
  };
  const operation = nameOperation(method, path);
  // Where readers need no token, an empty requirement stands beside it.
  const security: Record<string, string[]>[] = isChange ? [{ token: [] }] : [{}, { token: [] }];
  router.app.route({
    method,
    url: path,
    bodyLimit: route.maxBodyBytes ?? usualBodyBytes,
    schema: {
      summary,
      operationId: operation,
      ...(role === null ? {} : { security }),
      querystring: toSchema(query, "input"),
      ...(body === undefined ? {} : { body: toSchema(body, "input") }),
      response: Object.fromEntries(Object.entries(answers).map(([code, schema]) => [code, toSchema(schema, "output")])),
    },
    onRequest: requireRole(router, role),
    ...(isChange ? { onResponse: auditWith(router, operation, role) } : {}),
    handler: async (request, reply) => {
      const caller = findCaller(router, role, request);
      if (isChange) router.changes.admit(caller.name);
      const asked = {
        caller,
        query: parse(query, request.query, []),
        body: body === undefined ? (undefined as z.infer<B>) : parse(body, request.body, ["body"]),
      };
      if (route.isLight) return route.answer(asked, reply);
      // Whoever has gone meanwhile is not asked for.
      await askInTurn(router.budget, async () => {
        const answer = request.raw.destroyed ? undefined : await route.answer(asked, reply);
        await sendAnswer(router.budget, answer, itemSchema, request, reply);
      });
      return reply;
    },
  });
}
