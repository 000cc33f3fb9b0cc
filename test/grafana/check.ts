import { checkAlerts } from "./check-alerts.js";
import { checkGrafana } from "./check-grafana.js";
import { checkPanels } from "./check-panels.js";
import { fillWithFleet, startDatabase } from "./filled-server.js";
import { findQuietMoment, leastHosts, listBreaches } from "./fleet-parts.js";
import { openGrafana } from "./grafana-client.js";
import { openReader } from "./influx-reader.js";
import { fillByRealRun } from "./real-run.js";

/**
 * `make grafana-check`: every query on a real run, every query and every rule on a simulated fleet; ends with one JSON
 * object. With URL=… of a Grafana, what that Grafana makes of them.
 */

const hosts = Math.max(leastHosts, Number(process.env.HOSTS || 50));
const days = Number(process.env.DAYS || 7);
const tickMs = Number(process.env.TICK_S || 60) * 1000;
const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const fromMs = toMs - days * 86_400_000;
const runMs = Math.min(3_600_000, (toMs - fromMs) / 9);
const facts = { hosts, fromMs, toMs, tickMs, runMs };

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A simulated fleet: every query with all, one and several selected, and every rule against the breaches injected. */
async function checkSimulatedFleet() {
  const server = await startDatabase();
  try {
    const begin = performance.now();
    let told = 0;
    const samples = await fillWithFleet(server.url, facts, (written) => {
      if (written - told < 5e6) return;
      told = written;
      say(`${(written / 1e6).toFixed(0)} M samples written`);
    });
    const fillSeconds = Math.round((performance.now() - begin) / 1000);
    say(`${samples} samples of ${hosts} hosts over ${days} days written in ${fillSeconds} s`);
    const reader = openReader(server.url);
    const panels = await checkPanels(reader, { fromMs, toMs }, "injected", 10);
    const { failed: failed_rules, ...alerts } = await checkAlerts(reader, toMs, findQuietMoment(facts), listBreaches());
    return { hosts, days, tick_s: tickMs / 1000, samples, ...panels, ...alerts, failed_rules };
  } finally {
    await server.remove();
  }
}

/** One real host: what a real agent and collector write is what the queries read. */
async function checkRealRun() {
  const server = await startDatabase();
  try {
    const shown = await fillByRealRun(server.url, say);
    return await checkPanels(openReader(server.url), shown, "none", 3);
  } finally {
    await server.remove();
  }
}

/** A Grafana of a person's own; ends with one line of JSON. */
async function checkOwnGrafana(url: string): Promise<boolean> {
  const { TOKEN = "", GRAFANA_USER = "admin", GRAFANA_PASSWORD = "admin" } = process.env;
  const client = openGrafana({ url, token: TOKEN, user: GRAFANA_USER, password: GRAFANA_PASSWORD });
  const report = await checkGrafana(client);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.ok;
}

async function checkOwnServers(): Promise<boolean> {
  const real = await checkRealRun();
  const simulated = await checkSimulatedFleet();
  const faults = [real, simulated].flatMap((part) => [part.failed, part.empty_without_cause, part.wrong_series]);
  const ruleFaults = [simulated.failed_rules, simulated.missed, simulated.false_alarms, simulated.quiet_alarms];
  const ok = [...faults, ...ruleFaults, simulated.silence.faults].every((list) => list.length === 0);
  process.stdout.write(`${JSON.stringify({ ok, real, simulated }, null, 2)}\n`);
  return ok;
}

const ok = process.env.URL ? await checkOwnGrafana(process.env.URL) : await checkOwnServers();
process.exitCode = ok ? 0 : 1;
