import { request } from "node:http";
import { formatAddress } from "@fleetmark/shared/model/units";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { makeDirectory } from "../../test/support.js";
import { createFleet } from "../fleet/fleet.js";
import { openStore } from "../store/duckdb/duckdb.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startHttpServer, startProbeServer } from "./server.js";

it("tells that the store fails, and keeps the particulars to the log", async () => {
  const store = await openStore(makeDirectory());
  const lines: string[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => lines.push(line) });
  const findObstacle = () => "the store refuses writes";
  const parts = { store, fleet: createFleet(10), metrics: createMetrics(), logger, findObstacle, findTroubles: () => [] };
  const server = await startHttpServer({ host: "127.0.0.1", port: 0 }, parts);
  onTestFinished(() => server.stop());
  const url = `http://${formatAddress(server.address)}`;

  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { status: "not_ready", reason: "the store refuses writes; the log says why" },
  ]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);

  await store.close();
  const failed = await fetch(`${url}/api/v1/hosts`);
  expect(failed.status).toBe(500);
  expect(await failed.json()).toMatchObject({ code: "STORE_FAILED", message: expect.not.stringContaining("data file") });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0])).toMatchObject({ event: "request_failed", url: "/api/v1/hosts" });
});

/** Asks by a name of one's choice, as a browser does that was misled by a name server; returns status and body. */
function askAs(host: string, port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, headers: { host } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    asked.on("error", reject).end();
  });
}

it("answers no page that gave its own name to this machine's address", async () => {
  const store = await openStore(makeDirectory());
  const server = await startHttpServer(
    { host: "127.0.0.1", port: 0 },
    {
      store,
      fleet: createFleet(10),
      metrics: createMetrics(),
      logger: pino({ level: "silent" }),
      findObstacle: () => undefined,
      findTroubles: () => [],
      allowedHosts: ["Fleet.example"],
    },
  );
  onTestFinished(async () => {
    await server.stop();
    await store.close();
  });
  const { port } = server.address;
  for (const name of ["localhost", "LOCALHOST.", `127.0.0.1:${port}`, "127.8.0.1", `[::1]:${port}`, "fleet.example:443"]) {
    expect([name, (await askAs(name, port, "/api/v1/hosts")).status]).toEqual([name, 200]);
  }
  for (const name of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil", "a b", "[::2]"]) {
    for (const path of ["/api/v1/hosts", "/metrics", "/readyz", "/nothing", "/api/v1/openapi.json"]) {
      const { status, body } = await askAs(name, port, path);
      expect([name, path, status]).toEqual([name, path, 403]);
      expect(JSON.parse(body)).toMatchObject({ code: "HTTP_HOST_UNKNOWN" });
    }
  }
});

it("shows health and metrics alone where others may look", async () => {
  const probes = await startProbeServer(
    { host: "127.0.0.1", port: 0 },
    { metrics: createMetrics(), logger: pino({ level: "silent" }), findObstacle: () => undefined, findTroubles: () => [] },
  );
  onTestFinished(() => probes.stop());
  const { port } = probes.address;
  const status = async (path: string): Promise<number> => (await askAs("10.1.2.3:8080", port, path)).status;
  expect([await status("/healthz"), await status("/readyz"), await status("/metrics")]).toEqual([200, 200, 200]);
  for (const path of ["/api/v1/hosts", "/api/v1/openapi.json", "/", "/api/v1/records/result"]) {
    expect([path, await status(path)]).toEqual([path, 404]);
  }
});
