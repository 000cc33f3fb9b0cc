import { errorAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { sendAnswer } from "./long-answers.js";
import { askInTurn, type ReadBudget } from "./read-budget.js";

/** What a caller may do: readers ask, operators change things and may ask too. */
export type Role = "reader" | "operator";

/** Tells the role of whoever sent a request; undefined for one that has none. */
export type FindRole = (request: FastifyRequest) => Role | undefined;

/** Where endpoints are added. */
export interface Router {
  readonly app: FastifyInstance;
  readonly findRole: FindRole;
  /** What answers from the store may take. */
  readonly budget: ReadBudget;
}

/** A request as an endpoint sees it: checked by the endpoint's schemas. */
export interface Asked<Q extends z.ZodType, B extends z.ZodType> {
  readonly query: z.infer<Q>;
  /** Undefined where the endpoint takes none. */
  readonly body: z.infer<B>;
}

/** One endpoint: what it may be asked and by whom, what it answers, and how. */
export interface Route<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined> {
  /** GET unless it is given. */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly summary: string;
  /** Reader unless it is given. */
  readonly role?: Role;
  readonly query: Q;
  readonly body?: B;
  /** Whether it asks no store, and is answered at once whatever else is asked. */
  readonly isLight?: true;
  /** Answers by status code. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Returns the answer; a status other than 200 is set on the reply. */
  answer(asked: Asked<Q, B>, reply: FastifyReply): Promise<unknown>;
}

/** The largest body that an endpoint takes: what people send are a few settings. */
const maxBodyBytes = 64 * 1024;

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

/**
 * Makes the check that a request must pass before its body is read: strangers must not make the collector read it.
 * @throws FleetmarkError FORBIDDEN when whoever asks may not
 */
export function requireRole({ findRole }: Router, needed: Role): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const found = findRole(request);
    if (found === needed || found === "operator") return;
    const asked = found === undefined ? "no one's" : `a ${found}'s`;
    throw new FleetmarkError("FORBIDDEN", `this is for ${needed}s; the request is ${asked}`);
  };
}

/** Names what an endpoint does, for generated clients: `getRecordsRunWindow`. */
function nameOperation(method: string, path: string): string {
  const words = path
    .replace("/api/v1/", "")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => word[0].toUpperCase() + word.slice(1)).join("");
}

/**
 * Adds an endpoint. Its query and body are checked by the schemas that document it, and any of its answers but 200 is
 * an error.
 */
export function addRoute<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined>(router: Router, route: Route<Q, B>): void {
  const { method = "GET", path, summary, role = "reader", query, body } = route;
  const forbidden: Record<number, z.ZodType> = role === "reader" ? {} : { 403: errorAnswer };
  const crowded: Record<number, z.ZodType> = route.isLight ? {} : { 503: errorAnswer };
  const list = route.answers[200];
  const itemSchema = list instanceof z.ZodArray ? toSchema(list.element as z.ZodType, "output") : undefined;
  const answers: Record<number, z.ZodType> = { 400: errorAnswer, ...forbidden, 500: errorAnswer, ...crowded, ...route.answers };
  router.app.route({
    method,
    url: path,
    bodyLimit: maxBodyBytes,
    schema: {
      summary,
      operationId: nameOperation(method, path),
      querystring: toSchema(query, "input"),
      ...(body === undefined ? {} : { body: toSchema(body, "input") }),
      response: Object.fromEntries(Object.entries(answers).map(([code, schema]) => [code, toSchema(schema, "output")])),
    },
    onRequest: requireRole(router, role),
    handler: async (request, reply) => {
      const asked = {
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
