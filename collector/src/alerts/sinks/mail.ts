import { type Links, writeMessage, writeTitle } from "@fleetmark/shared/alerting/message";
import type { AlertSeverity } from "@fleetmark/shared/model/kpis";
import { createTransport } from "nodemailer";
import { readSecret } from "../../platform/secret.js";
import type { MessageSink } from "./sink.js";

export interface MailConfig {
  readonly name: string;
  /** smtp://host:port, which turns to TLS where the server offers it, or smtps://host:port. */
  readonly server: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly user?: string | undefined;
  readonly password_file?: string | undefined;
  /** Whether mail may travel in the clear. */
  readonly insecure: boolean;
  readonly severity: AlertSeverity;
}

/** Milliseconds: what hangs is left behind. */
const patienceMs = 15_000;

/**
 * Tells by mail, to each address by itself: a relay that refuses one of them must not keep the others from hearing.
 */
export function createMailSink(config: MailConfig, links: Links): MessageSink {
  const { name, server, from, to, user, password_file, insecure, severity } = config;
  const { protocol, hostname, port } = new URL(server);
  const secure = protocol === "smtps:";
  const send = async (subject: string, text: string): Promise<void> => {
    const pass = password_file === undefined ? "" : await readSecret(password_file);
    const transport = createTransport({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? (secure ? 465 : 587) : Number(port),
      secure,
      requireTLS: !secure && !insecure,
      ...(user === undefined ? {} : { auth: { user, pass } }),
      connectionTimeout: patienceMs,
      greetingTimeout: patienceMs,
      socketTimeout: patienceMs,
      // Nothing of a message is read from files or addresses.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const refused: string[] = [];
      for (const each of to) {
        await transport.sendMail({ from, to: each, subject, text }).catch((thrown: unknown) => {
          refused.push(`${each}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
        });
      }
      if (refused.length === to.length) throw new Error(refused.join("; "));
    } finally {
      transport.close();
    }
  };
  return {
    kind: "messages",
    name,
    place: `${protocol}//${hostname}`,
    severity,
    send: (notification) => send(writeTitle(notification), writeMessage(notification, links)),
  };
}
