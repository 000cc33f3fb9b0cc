import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { checkGrafana } from "./check-grafana.js";
import { openGrafana } from "./grafana-client.js";

/**
 * The check of a person's own Grafana, against answers in the shapes of its HTTP API. What a Grafana makes of the
 * queries is not told here.
 */

const titles = ruleGroups.flatMap(({ rules }) => rules.map(({ title }) => title));

interface Faults {
  readonly rulesKnown?: readonly string[];
  readonly unhealthy?: string;
  readonly dashboardsMissing?: boolean;
  readonly queryError?: string;
  readonly mailStatus?: "ok" | "failed";
}

interface AskedQuery {
  readonly refId: string;
  readonly query?: string;
}

function answerQueries(queries: readonly AskedQuery[], { queryError }: Faults): object {
  const answer = ({ query = "" }: AskedQuery) => {
    if (queryError !== undefined && query.includes("clock_rtt_ms")) return { status: 400, error: queryError };
    const name = query.includes('"run", "ended_ms"') ? "run_window.ended_ms" : "series";
    return { status: 200, frames: [{ schema: { name }, data: { values: [[1], [2]] } }] };
  };
  return { results: Object.fromEntries(queries.map((each) => [each.refId, answer(each)])) };
}

function answer(path: string, body: string, faults: Faults): object | undefined {
  const asked = body === "" ? {} : JSON.parse(body);
  if (path === "/api/health") return { database: "ok", version: "11.0.0" };
  if (path.startsWith("/api/datasources/uid/fleetmark-influxdb/health")) return { status: "OK", message: "ready" };
  if (path.startsWith("/api/dashboards/uid/")) return faults.dashboardsMissing ? undefined : { dashboard: {} };
  if (path === "/api/ds/query") return answerQueries(asked.queries, faults);
  if (path === "/api/v1/eval")
    return answerQueries(
      asked.data.map(({ refId }: AskedQuery) => ({ refId })),
      faults,
    );
  if (path === "/api/prometheus/grafana/api/v1/rules") {
    const rules = (faults.rulesKnown ?? titles).map((name) => ({
      name,
      health: name === faults.unhealthy ? "error" : "ok",
      lastError: name === faults.unhealthy ? "no such field" : undefined,
      alerts: name === "Agent down" ? [{ state: "Alerting", labels: { host: "node-1" } }] : [],
    }));
    return { status: "success", data: { groups: [{ name: "all", rules }] } };
  }
  if (path.startsWith("/api/v1/provisioning/contact-points")) {
    const settings = { addresses: ";a@x.example", password: "[REDACTED]" };
    return [{ uid: "fleetmark-email", name: "fleetmark", type: "email", settings, disableResolveMessage: false }];
  }
  if (path.endsWith("/receivers/test")) {
    const [config] = asked.receivers[0].grafana_managed_receiver_configs;
    if (config.settings.password !== undefined) return undefined;
    const status = faults.mailStatus ?? "ok";
    const error = status === "ok" ? undefined : "relay refused";
    return { receivers: [{ name: "fleetmark", grafana_managed_receiver_configs: [{ uid: config.uid, status, error }] }] };
  }
  return undefined;
}

describe("the check of a Grafana", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function check(faults: Faults) {
    server = createServer(async (request, response) => {
      let body = "";
      for await (const part of request) body += part;
      const found = request.headers.authorization === "Bearer t" ? answer(request.url ?? "", body, faults) : undefined;
      response.statusCode = found === undefined ? 404 : 200;
      response.end(JSON.stringify(found ?? { message: "not found" }));
    });
    await new Promise<void>((listening) => server?.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    return checkGrafana(openGrafana({ url: `http://127.0.0.1:${port}/`, token: "t", user: "", password: "" }));
  }

  test("says in one line what it has run, and what fires", async () => {
    const report = await check({});
    expect(report).toMatchObject({ ok: true, version: "11.0.0", runs_shaded: true, firing: ["Agent down node-1"] });
    expect(report.rules.evaluated).toBe(titles.length);
    expect(report.panels.queries_run).toBeGreaterThan(100);
    expect(report.notifications.sent).toEqual(["fleetmark-email"]);
    expect(JSON.stringify(report)).not.toContain("\n");
  });

  test("names what is missing, fails or does not arrive", async () => {
    const report = await check({
      rulesKnown: titles.slice(1),
      unhealthy: titles[2],
      dashboardsMissing: true,
      queryError: "no answer",
      mailStatus: "failed",
    });
    expect(report.ok).toBe(false);
    expect(report.missing_dashboards).toContain("fleetmark-fleet");
    expect(report.panels.failed).toEqual([expect.stringContaining("Round trip A: no answer")]);
    expect(report.rules).toMatchObject({ missing: [titles[0]], failed: [`${titles[2]}: no such field`] });
    expect(report.notifications.failed).toEqual(["fleetmark-email: relay refused"]);
  });
});
