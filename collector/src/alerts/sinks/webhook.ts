import { createHmac } from "node:crypto";
import type { Notification, ToldAlert } from "@fleetmark/shared/alerting/groups";
import { type Links, linkRunbook, writeMessage, writeTitle } from "@fleetmark/shared/alerting/message";
import type { AlertSeverity } from "@fleetmark/shared/model/kpis";
import { readSecret } from "../../platform/secret.js";
import { post } from "./request.js";
import type { MessageSink } from "./sink.js";

export const webhookBodies = ["json", "slack", "teams", "pagerduty", "ntfy"] as const;
export type WebhookBody = (typeof webhookBodies)[number];

export interface WebhookConfig {
  readonly name: string;
  readonly url: string;
  readonly body: WebhookBody;
  /** Holds what the body is signed with; for PagerDuty the routing key, for ntfy an access token. */
  readonly secret_file?: string | undefined;
  readonly severity: AlertSeverity;
}

/** What is posted: a body, and the headers that go with it. */
interface Posted {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const json = { "content-type": "application/json" };

/** What a chat shows of one message at most. */
const longestChat = 3500;

function cut(text: string): string {
  return text.length <= longestChat ? text : `${text.slice(0, longestChat)}\n…`;
}

function describeAlert(alert: ToldAlert, links: Links): object {
  const { id, name, severity, labels, summary, description, value, threshold, sinceUs, resolvedUs } = alert;
  const runbook = linkRunbook(alert, links);
  const times = { since_us: sinceUs, ...(resolvedUs === undefined ? {} : { resolved_us: resolvedUs }) };
  return { id, alert: name, severity, labels, summary, description, value, threshold, ...times, runbook };
}

function isCritical({ firing, resolved }: Notification): boolean {
  return [...firing, ...resolved].some(({ severity }) => severity === "critical");
}

/** Fleetmark's own shape, signed: HMAC-SHA256 (RFC 2104) of the time, a dot and the body, in hexadecimal. */
function writeJson(notification: Notification, links: Links, secret: string): Posted {
  const { group, firing, resolved, isReminder } = notification;
  const state = firing.length > 0 ? "firing" : "resolved";
  const title = writeTitle(notification);
  const alerts = {
    firing: firing.map((each) => describeAlert(each, links)),
    resolved: resolved.map((each) => describeAlert(each, links)),
  };
  const body = JSON.stringify({ version: 1, group, state, title, reminder: isReminder, ...alerts });
  if (secret === "") return { body, headers: json };
  const time = String(Math.floor(Date.now() / 1000));
  const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
  return { body, headers: { ...json, "x-fleetmark-timestamp": time, "x-fleetmark-signature": `sha256=${signature}` } };
}

/** Slack's incoming webhooks: a text in its mrkdwn, whose three control characters are escaped. */
function writeSlack(notification: Notification, links: Links): Posted {
  const protect = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const text = `*${protect(writeTitle(notification))}*\n${protect(cut(writeMessage(notification, links)))}`;
  return { body: JSON.stringify({ text }), headers: json };
}

/** Teams' workflows take an Adaptive Card (adaptivecards.io, schema 1.4) as the attachment of a message. */
function writeTeams(notification: Notification, links: Links): Posted {
  const block = (text: string, more: object = {}): object => ({ type: "TextBlock", text, wrap: true, ...more });
  const lines = cut(writeMessage(notification, links)).replaceAll("\n", "\n\n");
  const title = block(writeTitle(notification), { weight: "bolder", color: isCritical(notification) ? "attention" : "warning" });
  const content = { type: "AdaptiveCard", version: "1.4", body: [title, block(lines)] };
  const attachments = [{ contentType: "application/vnd.microsoft.card.adaptive", content }];
  return { body: JSON.stringify({ type: "message", attachments }), headers: json };
}

/** PagerDuty's Events API v2: one incident a group, for as long as something of it fires. */
function writePagerDuty(notification: Notification, links: Links, secret: string): Posted {
  const { group, firing } = notification;
  const dedup_key = `fleetmark ${group}`.slice(0, 255);
  const payload = {
    summary: writeTitle(notification).slice(0, 1024),
    source: firing[0]?.labels.host ?? "fleetmark",
    severity: isCritical(notification) ? "critical" : "warning",
    custom_details: { message: writeMessage(notification, links) },
  };
  const event = firing.length > 0 ? { event_action: "trigger", payload } : { event_action: "resolve" };
  return { body: JSON.stringify({ routing_key: secret, dedup_key, ...event }), headers: json };
}

/** A header holds Latin letters alone: others are encoded (RFC 2047), which ntfy reads. */
function encodeHeader(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `=?utf-8?B?${Buffer.from(text).toString("base64")}?=`;
}

function writeNtfy(notification: Notification, links: Links, secret: string): Posted {
  const priority = notification.firing.length === 0 ? "3" : isCritical(notification) ? "5" : "4";
  const authorization: Record<string, string> = secret === "" ? {} : { authorization: `Bearer ${secret}` };
  const headers = { "content-type": "text/plain; charset=utf-8", title: encodeHeader(writeTitle(notification)), priority };
  return { body: cut(writeMessage(notification, links)), headers: { ...headers, ...authorization } };
}

const writers: Readonly<Record<WebhookBody, (notification: Notification, links: Links, secret: string) => Posted>> = {
  json: writeJson,
  slack: writeSlack,
  teams: writeTeams,
  pagerduty: writePagerDuty,
  ntfy: writeNtfy,
};

/** Tells a web address of each group that changes, in the shape that it takes. */
export function createWebhookSink({ name, url, body: shape, secret_file, severity }: WebhookConfig, links: Links): MessageSink {
  return {
    kind: "messages",
    name,
    // What follows the host may be a secret, as Slack's addresses are.
    place: new URL(url).origin,
    severity,
    send: async (notification) => {
      const secret = secret_file === undefined ? "" : await readSecret(secret_file);
      const { body, headers } = writers[shape](notification, links, secret);
      await post(url, body, headers);
    },
  };
}
