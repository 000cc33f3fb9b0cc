import type { ToldAlert } from "@fleetmark/shared/alerting/groups";
import { type Links, linkRunbook } from "@fleetmark/shared/alerting/message";
import type { AlertSeverity } from "@fleetmark/shared/model/kpis";
import { bearToken } from "../../platform/secret.js";
import { post } from "./request.js";
import type { StateSink } from "./sink.js";

export interface AlertmanagerConfig {
  readonly name: string;
  readonly url: string;
  readonly token_file?: string | undefined;
  readonly severity: AlertSeverity;
}

/**
 * How long an alert holds there without word from here, microseconds: some of our rounds, so that one that was missed
 * ends nothing, and a collector that is gone for good leaves nothing behind.
 */
const holdsUs = 300e6;
/** For how long the end of an alert is told, microseconds: a round may be missed. */
const tellEndUs = 900e6;
/** Alerts that are sent at a time. */
const page = 500;

const formatTime = (us: number): string => new Date(us / 1000).toISOString();

/** An alert as `postableAlerts` of Alertmanager's api/v2/openapi.yaml has it. */
function layOut(alert: ToldAlert, links: Links, nowUs: number): object {
  const { name, severity, labels, summary, description, sinceUs, resolvedUs } = alert;
  const runbook_url = linkRunbook(alert, links);
  return {
    labels: { ...labels, alertname: name, severity, team: "fleetmark" },
    annotations: { summary, description, ...(runbook_url === "" ? {} : { runbook_url }) },
    startsAt: formatTime(Math.min(sinceUs, nowUs)),
    endsAt: formatTime(resolvedUs ?? nowUs + holdsUs),
  };
}

/** Tells an Alertmanager, by its API v2, what fires: again and again, as it expects. */
export function createAlertmanagerSink({ name, url, token_file, severity }: AlertmanagerConfig, links: Links): StateSink {
  const address = `${url.replace(/\/+$/, "")}/api/v2/alerts`;
  return {
    kind: "states",
    name,
    place: url,
    severity,
    sync: async (firing, resolved, nowUs) => {
      const authorization = await bearToken(token_file);
      const over = resolved.filter(({ resolvedUs = 0 }) => Math.abs(nowUs - resolvedUs) <= tellEndUs);
      const all = [...firing, ...over].map((alert) => layOut(alert, links, nowUs));
      for (let at = 0; at < all.length; at += page) {
        const body = JSON.stringify(all.slice(at, at + page));
        await post(address, body, { "content-type": "application/json", ...authorization });
      }
    },
  };
}
