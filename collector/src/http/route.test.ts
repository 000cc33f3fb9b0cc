import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { makeDirectory } from "../../test/support.js";
import type { Role } from "../access/roles.js";
import { createFleet } from "../fleet/fleet.js";
import { openStore } from "../store/duckdb/duckdb.js";
import { createMetrics } from "../telemetry/metrics.js";
import { addRoute, type Identify } from "./routing/route.js";
import { createApp } from "./server.js";

/** An application with an endpoint that changes something, and the bodies that it was given. */
async function makeApp(identify?: Identify) {
  const store = await openStore(makeDirectory());
  const given: unknown[] = [];
  const { router } = await createApp({
    store,
    fleet: createFleet(10),
    metrics: createMetrics(),
    logger: pino({ level: "silent" }),
    findObstacle: () => undefined,
    findTroubles: () => [],
    identify,
  });
  addRoute(router, {
    method: "POST",
    path: "/api/v1/things",
    summary: "Makes a thing",
    role: "operate",
    query: z.strictObject({}),
    body: z.strictObject({ name: z.string().min(1), size: z.int().optional() }),
    answers: { 200: z.object({ made: z.string() }) },
    answer: async ({ body }) => {
      given.push(body);
      return { made: body.name };
    },
  });
  onTestFinished(async () => {
    await router.app.close();
    await store.close();
  });
  const post = async (payload: string | object, headers: Record<string, string> = {}) => {
    const answer = await router.app.inject({ method: "POST", url: "/api/v1/things", payload, headers });
    return { status: answer.statusCode, json: answer.json() };
  };
  return { app: router.app, given, post };
}

const asOperator: Identify = () => ({ name: "alice", role: "operate" });

describe("an endpoint for operators", () => {
  it("is forbidden to everyone unless the server was told who is an operator", async () => {
    const { post, given } = await makeApp();
    expect(await post({ name: "a" })).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    expect(given).toEqual([]);
  });

  it("takes what an operator sends, and answers", async () => {
    const { post, given } = await makeApp(asOperator);
    expect(await post({ name: "a", size: 2 })).toEqual({ status: 200, json: { made: "a" } });
    expect(given).toEqual([{ name: "a", size: 2 }]);
  });

  it("goes by the request, and lets nobody in who has no role", async () => {
    const { app, post } = await makeApp(({ headers }) => {
      const role = headers["x-role"] as Role | undefined;
      return role === undefined ? undefined : { name: "alice", role };
    });
    expect((await post({ name: "a" }, { "x-role": "operate" })).status).toBe(200);
    expect((await post({ name: "a" }, { "x-role": "read" })).status).toBe(403);
    expect((await app.inject("/api/v1/hosts")).statusCode).toBe(403);
    expect((await app.inject("/metrics")).statusCode).toBe(403);
    expect((await app.inject({ url: "/api/v1/hosts", headers: { "x-role": "operate" } })).statusCode).toBe(200);
  });

  it.each([
    ["a field of the wrong type", { name: 1 }, /^body: name: /],
    ["a field that is missing", {}, /^body: name: /],
    ["a field that is not known", { name: "a", nmae: "b" }, /^body: .*nmae/],
  ])("refuses %s, and names it", async (_, body, message) => {
    const { post, given } = await makeApp(asOperator);
    const { status, json } = await post(body);
    expect([status, json.code]).toEqual([400, "REQUEST_INVALID"]);
    expect(json.message).toMatch(message);
    expect(given).toEqual([]);
  });

  it("refuses a body that is too large, and one that is no JSON", async () => {
    const { post } = await makeApp(asOperator);
    expect(await post({ name: "x".repeat(70_000) })).toMatchObject({ status: 413, json: { code: "REQUEST_INVALID" } });
    const broken = await post("{", { "content-type": "application/json" });
    expect(broken).toMatchObject({ status: 400, json: { code: "REQUEST_INVALID" } });
  });

  it("is documented with its body and its refusals", async () => {
    const { app } = await makeApp();
    const { post } = (await app.inject("/api/v1/openapi.json")).json().paths["/api/v1/things"];
    expect(post.requestBody.content["application/json"].schema.required).toEqual(["name"]);
    expect(Object.keys(post.responses)).toEqual(["200", "400", "403", "429", "500", "503"]);
  });
});
