import type { NotificationPolicy } from "@grafana/grafana-foundation-sdk/alerting";

/**
 * The name that the policy sends to; which of the contact points below bears it is the operator's choice of one file.
 */
const contactPoint = "fleetmark";

interface Receiver {
  readonly type: string;
  readonly settings: Readonly<Record<string, string | boolean>>;
}

/**
 * The receivers to choose from, each made whole by environment variables. Grafana refuses to start with a receiver that
 * lacks its address, so each has a file of its own but e-mail, which is the default and always has one: mail to
 * localhost goes nowhere until SMTP is set up.
 */
const receivers = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholders, for environment variables
  email: { type: "email", settings: { addresses: "fleetmark@localhost;${FLEETMARK_ALERT_EMAIL}", singleEmail: true } },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
  webhook: { type: "webhook", settings: { url: "${FLEETMARK_ALERT_WEBHOOK_URL}", httpMethod: "POST" } },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
  slack: { type: "slack", settings: { url: "${FLEETMARK_ALERT_SLACK_URL}" } },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
  alertmanager: { type: "prometheus-alertmanager", settings: { url: "${FLEETMARK_ALERT_ALERTMANAGER_URL}" } },
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
  };
}

/** One message for each host and severity; what is critical is repeated until it is mended, the rest once a day. */
const policy: NotificationPolicy & { orgId: number } = {
  orgId: 1,
  receiver: contactPoint,
  group_by: ["grafana_folder", "host", "severity"],
  group_wait: "30s",
  group_interval: "5m",
  repeat_interval: "24h",
  routes: [
    {
      receiver: contactPoint,
      object_matchers: [["severity", "=", "critical"]],
      group_by: ["grafana_folder", "host", "severity"],
      repeat_interval: "4h",
    },
  ],
};

export function buildPoliciesFile(): object {
  return { apiVersion: 1, policies: [policy] };
}
