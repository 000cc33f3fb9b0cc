import { formatAddress } from "@fleetmark/shared/model/units";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { makeDirectory } from "../../test/support.js";
import { createFleet } from "../fleet/fleet.js";
import { openStore } from "../store/duckdb/duckdb.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startHttpServer } from "./server.js";

it("tells that the store fails, and keeps the particulars to the log", async () => {
  const store = await openStore(makeDirectory());
  const lines: string[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => lines.push(line) });
  const findObstacle = () => "the store refuses writes";
  const parts = { store, fleet: createFleet(10), metrics: createMetrics(), logger, findObstacle };
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
