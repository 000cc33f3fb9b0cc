import type { NotificationPolicy } from "@grafana/grafana-foundation-sdk/alerting";
import { notificationTemplate, texts } from "./notification-texts.js";

/**
 * The name that the policy sends to; which of the contact points below bears it is the operator's choice of one file.
 */
const contactPoint = "fleetmark";

interface Receiver {
  readonly type: string;
  readonly settings: Readonly<Record<string, string | boolean>>;
}

/**
 * The receivers to choose from, each made whole by an environment variable.
 *
 * Grafana ends at start where a receiver's address is empty. So each address has a character of its own beside the
 * variable, one that is dropped on the way: an empty part of a list, the `#` before a fragment that is empty, the slash
 * that Grafana cuts off. A receiver whose variable is not set reaches nobody, and all else works.
 */
const receivers = {
  email: {
    type: "email",
    // A message of its own for each address: a relay that refuses one would take all from the others.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder, for an environment variable
    settings: { addresses: ";${FLEETMARK_ALERT_EMAIL}", singleEmail: false, subject: texts.title, message: texts.message },
  },
  webhook: {
    type: "webhook",
    settings: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
      url: "${FLEETMARK_ALERT_WEBHOOK_URL}#",
      httpMethod: "POST",
      title: texts.title,
      message: texts.message,
    },
  },
  slack: {
    type: "slack",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
    settings: { url: "${FLEETMARK_ALERT_SLACK_URL}#", title: texts.title, text: texts.message },
  },
  alertmanager: {
    type: "prometheus-alertmanager",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
    settings: { url: "${FLEETMARK_ALERT_ALERTMANAGER_URL}/" },
  },
} as const satisfies Record<string, Receiver>;

export type ReceiverName = keyof typeof receivers;
export const receiverNames = Object.keys(receivers) as ReceiverName[];

export function buildContactPointsFile(name: ReceiverName): object {
  const { type, settings } = receivers[name];
  return {
    apiVersion: 1,
    contactPoints: [
      { orgId: 1, name: contactPoint, receivers: [{ uid: `fleetmark-${name}`, type, settings, disableResolveMessage: false }] },
    ],
    templates: [notificationTemplate],
  };
}

type Policy = NotificationPolicy & { orgId: number };

/** For people: what is critical is repeated until it is mended, the rest once a day. */
const forPeople: Policy = {
  orgId: 1,
  receiver: contactPoint,
  // One message for each host and severity.
  group_by: ["grafana_folder", "host", "severity"],
  group_wait: "30s",
  group_interval: "5m",
  repeat_interval: "24h",
  routes: [
    {
      // Hosts that fall silent together are one message, however many they are.
      receiver: contactPoint,
      object_matchers: [["alertname", "=", "Agent down"]],
      group_by: ["grafana_folder", "alertname"],
      repeat_interval: "4h",
    },
    {
      receiver: contactPoint,
      object_matchers: [["severity", "=", "critical"]],
      group_by: ["grafana_folder", "host", "severity"],
      repeat_interval: "4h",
    },
  ],
};

/**
 * For an Alertmanager, which groups and repeats by itself: it takes an alert that it has not heard of within its
 * resolve_timeout (five minutes unless it is told otherwise) for resolved, so everything that fires is sent again well
 * within that.
 */
const forAlertmanager: Policy = {
  orgId: 1,
  receiver: contactPoint,
  group_by: ["grafana_folder", "alertname"],
  group_wait: "5s",
  group_interval: "1m",
  repeat_interval: "1m",
};

/** The policy that goes with a contact point. */
export function buildPoliciesFile(name: ReceiverName): object {
  return { apiVersion: 1, policies: [name === "alertmanager" ? forAlertmanager : forPeople] };
}
