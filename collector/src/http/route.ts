import { FleetmarkError } from "@fleetmark/shared/errors";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { errorAnswer } from "./answers.js";

/** One endpoint: what it may be asked, what it answers, and how. */
export interface Route<Q extends z.ZodObject> {
  readonly path: string;
  readonly summary: string;
  readonly query: Q;
  /** Answers by status code. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Returns the answer; a status other than 200 is set on the reply. */
  answer(query: z.infer<Q>, reply: FastifyReply): Promise<unknown>;
}

/** JSON Schema as Fastify and OpenAPI 3.1 both take it. */
function toSchema(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, target: "draft-7", unrepresentable: "any" });
  return json;
}

function parseQuery<Q extends z.ZodObject>(schema: Q, query: unknown): z.infer<Q> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues.map((issue) => [...issue.path, issue.message].join(": ")).join("; ");
  throw new FleetmarkError("REQUEST_INVALID", message);
}

/** Adds an endpoint. Its query is checked by the schema that documents it, and any of its answers but 200 is an error. */
export function addRoute<Q extends z.ZodObject>(app: FastifyInstance, route: Route<Q>): void {
  const answers: Record<number, z.ZodType> = { 400: errorAnswer, 500: errorAnswer, ...route.answers };
  app.route({
    method: "GET",
    url: route.path,
    schema: {
      summary: route.summary,
      querystring: toSchema(route.query, "input"),
      response: Object.fromEntries(Object.entries(answers).map(([code, schema]) => [code, toSchema(schema, "output")])),
    },
    handler: async (request, reply) => route.answer(parseQuery(route.query, request.query), reply),
  });
}
