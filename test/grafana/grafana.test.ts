import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../testbed/needs.js";
import type { Server } from "../testbed/servers.js";
import { type AlertReport, checkAlerts } from "./check-alerts.js";
import { checkPanels, type PanelReport } from "./check-panels.js";
import { fillWithFleet, startDatabase } from "./filled-server.js";
import { findQuietMoment, leastHosts, listBreaches } from "./fleet-parts.js";
import { openReader } from "./influx-reader.js";

/**
 * The small version of `make grafana-check`: every query and every rule, on a simulated fleet of fewer hosts and hours.
 */
describeWith("influxd")("dashboards and alert rules on InfluxDB", () => {
  const toMs = Math.floor(Date.now() / 60_000) * 60_000;
  const fromMs = toMs - 3 * 3_600_000;
  const facts = { hosts: leastHosts, fromMs, toMs, tickMs: 60_000, runMs: 20 * 60_000 };
  let server: Server;
  let panels: PanelReport;
  let alerts: AlertReport;

  beforeAll(async () => {
    server = await startDatabase();
    await fillWithFleet(server.url, facts);
    const reader = openReader(server.url);
    panels = await checkPanels(reader, { fromMs, toMs }, "injected", 3);
    alerts = await checkAlerts(reader, toMs, findQuietMoment(facts), listBreaches());
  }, 240_000);

  afterAll(() => server?.remove());

  test("every query runs, and shows what there is, of the hosts selected", () => {
    expect(panels.queries_run).toBeGreaterThan(300);
    expect(panels.failed).toEqual([]);
    expect(panels.empty_without_cause).toEqual([]);
    expect(panels.wrong_series).toEqual([]);
  });

  test("alerts fire for exactly the injected breaches", () => {
    expect(alerts.failed).toEqual([]);
    expect(alerts.missed).toEqual([]);
    expect(alerts.false_alarms).toEqual([]);
    expect(alerts.quiet_alarms).toEqual([]);
  });

  test("a fleet that falls silent is one alert, at every phase of the rules against it", () => {
    expect(alerts.silence).toMatchObject({ phases: 24, faults: [] });
  });

  test("every rule can fire", () => {
    // All but that for the silent fleet, which is not silent then.
    expect(alerts.rules_fired).toBe(alerts.rules - 1);
  });
});
