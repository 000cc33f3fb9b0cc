import { errorAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";

/** What a caller may do: readers ask, operators change things and may ask too. */
export type Role = "reader" | "operator";

/** Tells the role of whoever sent a request; undefined for one that has none. */
export type FindRole = (request: FastifyRequest) => Role | undefined;

/** Where endpoints are added. */
export interface Router {
  readonly app: FastifyInstance;
  readonly findRole: FindRole;
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

/**
 * Adds an endpoint. Its query and body are checked by the schemas that document it, and any of its answers but 200 is
 * an error.
 */
export function addRoute<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined>(router: Router, route: Route<Q, B>): void {
  const { method = "GET", path, summary, role = "reader", query, body } = route;
  const forbidden: Record<number, z.ZodType> = role === "reader" ? {} : { 403: errorAnswer };
  const answers: Record<number, z.ZodType> = { 400: errorAnswer, ...forbidden, 500: errorAnswer, ...route.answers };
  router.app.route({
    method,
    url: path,
    bodyLimit: maxBodyBytes,
    schema: {
      summary,
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
      return route.answer(asked, reply);
    },
  });
}
