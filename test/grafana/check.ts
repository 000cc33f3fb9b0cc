import { checkAlerts } from "./check-alerts.js";
import { checkPanels } from "./check-panels.js";
import { fillWithFleet, startDatabase } from "./filled-server.js";
import { openReader } from "./influx-reader.js";
import { leastHosts, listBreaches } from "./simulated-fleet.js";

/** `make grafana-check`: every query and every rule on a simulated fleet; ends with one JSON object. */

const hosts = Math.max(leastHosts, Number(process.env.HOSTS || 50));
const days = Number(process.env.DAYS || 7);
const tickMs = Number(process.env.TICK_S || 60) * 1000;
const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const fromMs = toMs - days * 86_400_000;
const runMs = Math.min(3_600_000, (toMs - fromMs) / 9);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

const server = await startDatabase();
try {
  const begin = performance.now();
  let told = 0;
  const samples = await fillWithFleet(server.url, { hosts, fromMs, toMs, tickMs, runMs }, (written) => {
    if (written - told < 2e6) return;
    told = written;
    say(`${(written / 1e6).toFixed(0)} M samples written`);
  });
  const fillSeconds = Math.round((performance.now() - begin) / 1000);
  say(`${samples} samples of ${hosts} hosts over ${days} days written in ${fillSeconds} s`);
  const reader = openReader(server.url);
  const panels = await checkPanels(reader, { fromMs, toMs }, 10);
  const alerts = await checkAlerts(reader, toMs, listBreaches());
  const { failed: failedRules, ...alertFigures } = alerts;
  const good = [
    panels.failed,
    panels.empty_without_cause,
    panels.wrong_series,
    failedRules,
    alerts.missed,
    alerts.false_alarms,
  ].every((list) => list.length === 0);
  const { slowest, ...panelFigures } = panels;
  const report = {
    ok: good,
    hosts,
    days,
    tick_s: tickMs / 1000,
    samples,
    ...panelFigures,
    ...alertFigures,
    failed_rules: failedRules,
    slowest,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = good ? 0 : 1;
} finally {
  await server.remove();
}
