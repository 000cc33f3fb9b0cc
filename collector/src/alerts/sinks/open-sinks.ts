import type { Links } from "@fleetmark/shared/alerting/message";
import type { Logger } from "@fleetmark/shared/log";
import { createAlertmanagerSink } from "./alertmanager.js";
import { createLogSink } from "./log.js";
import { createMailSink } from "./mail.js";
import type { Sink } from "./sink.js";
import type { SinkConfig } from "./sink-config.js";
import { createWebhookSink } from "./webhook.js";

function openSink(config: SinkConfig, links: Links): Sink {
  if (config.kind === "alertmanager") return createAlertmanagerSink(config, links);
  return config.kind === "webhook" ? createWebhookSink(config, links) : createMailSink(config, links);
}

/** Makes the ways by which people are told; the log is always one of them. */
export function openSinks(configs: readonly SinkConfig[], links: Links, logger: Logger): Sink[] {
  return [createLogSink(logger), ...configs.map((config) => openSink(config, links))];
}
