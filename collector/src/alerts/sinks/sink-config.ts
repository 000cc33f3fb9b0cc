import { alertSeverities } from "@fleetmark/shared/model/kpis";
import { isLoopbackUrl } from "@fleetmark/shared/model/units";
import { z } from "zod";
import { webhookBodies } from "./webhook.js";

/** The ways by which people are told of alerts, as the configuration says them. */

const sinkFields = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, "holds up to 64 letters, digits, . _ and -")
    .describe("what it is known by in records; default: its kind"),
  severity: z.enum(alertSeverities).describe("the least that it is told of").default("warning"),
};

const insecure = z.stringbool().or(z.boolean()).describe("allow a way to another machine in the clear").default(false);
const secretFile = z.string().min(1).optional();
export const webUrl = z.url({ protocol: /^https?$/, message: "must be a URL such as https://hooks.example/fleetmark" });
const address = z
  .string()
  .max(320)
  .regex(/^[^\s@<>]+@[^\s@<>]+$/, "must be an address such as ops@example.com");

const alertmanagerSink = z.strictObject({
  ...sinkFields,
  kind: z.literal("alertmanager"),
  name: sinkFields.name.default("alertmanager"),
  url: webUrl.describe("what /api/v2/alerts follows on"),
  token_file: secretFile.describe("file that holds a token, sent as Authorization: Bearer"),
  insecure,
});

const webhookSink = z.strictObject({
  ...sinkFields,
  kind: z.literal("webhook"),
  name: sinkFields.name.default("webhook"),
  url: webUrl,
  body: z.enum(webhookBodies).describe("the shape of what is posted").default("json"),
  secret_file: secretFile.describe("file that holds what the body is signed with; PagerDuty's routing key; ntfy's token"),
  insecure,
});

const mailSink = z.strictObject({
  ...sinkFields,
  kind: z.literal("mail"),
  name: sinkFields.name.default("mail"),
  server: z
    .url({ protocol: /^smtps?$/, message: "must be a URL such as smtp://mail.example:587" })
    .describe("smtp:// turns to TLS, and must; smtps:// begins with it"),
  from: address,
  to: z.array(address).min(1).max(100),
  user: z.string().min(1).optional(),
  password_file: secretFile.describe("file that holds the user's password"),
  insecure,
});

/** Whether what is told travels as it should. */
function isSafe(sink: { readonly insecure: boolean; readonly url?: string; readonly server?: string }): boolean {
  const { url, server, insecure: mayBeClear } = sink;
  // Mail asks its server for TLS unless it need not.
  return mayBeClear || url === undefined || server !== undefined || url.startsWith("https:") || isLoopbackUrl(url);
}

export const sinkSchema = z.discriminatedUnion("kind", [alertmanagerSink, webhookSink, mailSink]).superRefine((sink, context) => {
  const issue = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
  if (!isSafe(sink)) issue("url", "tells of alerts in the clear on another machine: use https://, or set insecure");
  if (sink.kind === "webhook" && sink.body === "pagerduty" && sink.secret_file === undefined) {
    issue("secret_file", "is needed for PagerDuty: the file that holds its routing key");
  }
  if (sink.kind === "mail" && (sink.user === undefined) !== (sink.password_file === undefined)) {
    issue("password_file", "goes with user: both, or none of them");
  }
  if (sink.name === "log") issue("name", "log is the collector's own log, which is always told");
});

export type SinkConfig = z.infer<typeof sinkSchema>;
