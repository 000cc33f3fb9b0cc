import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { HttpError } from "@influxdata/influxdb-client";
import { StoreBusy } from "../../store.js";
import type { InfluxTarget } from "./target.js";

/** What a server's refusals mean, and what to do about them. */

/** What a person must do about an answer that no repetition mends. */
function explainStatus(status: number, target: InfluxTarget, said: string): string | undefined {
  switch (status) {
    case 401:
      return "it does not know these credentials: put a token (1.x: user:password) that is valid there into store.token_file (--store-token-file)";
    case 403:
      return `the credentials may not do this in ${JSON.stringify(target.database)}: give the token read and write permission for it`;
    case 404:
      return explainMissing(target, said);
    default:
      return undefined;
  }
}

/** InfluxDB 2.x answers 404 for a missing bucket, and for an organisation that is missing or hidden from the token. */
function explainMissing({ org, database }: InfluxTarget, said: string): string {
  if (org !== "" && /organization|could not find org/i.test(said)) {
    return `it has no organisation ${JSON.stringify(org)} that these credentials see: correct store.org (--store-org), or give a token of that organisation`;
  }
  const place = org === "" ? "database" : "bucket";
  const within = org === "" ? "" : ` in the organisation ${JSON.stringify(org)}`;
  return `it has no ${place} ${JSON.stringify(database)}${within}: run \`fleetmark store setup\` to create it, or correct store.database (--store-database)`;
}

/** How much of a server's own words goes into a message. */
export const shownLength = 300;

/** Finds the message in a body: InfluxDB's JSON, or the beginning of whatever came. */
export function readMessage(body: string | undefined): string {
  const text = (body ?? "").trim();
  try {
    const { message, error, data } = JSON.parse(text) as { message?: unknown; error?: unknown; data?: unknown };
    // InfluxDB 3 lists the lines at fault, or names the one.
    const fault = ((Array.isArray(data) ? data[0] : data) as { error_message?: unknown } | null | undefined)?.error_message;
    const said = typeof message === "string" ? message : error;
    if (typeof said === "string") return `${said}${typeof fault === "string" ? `: ${fault}` : ""}`.slice(0, shownLength);
  } catch {
    // Not JSON: a proxy's page, most likely.
  }
  return text.replace(/\s+/g, " ").slice(0, shownLength);
}

export function describeFailure(target: InfluxTarget, what: string, cause?: unknown): FleetmarkError {
  return new FleetmarkError("STORE_FAILED", `InfluxDB at ${target.url}: ${what}`, { cause });
}

/**
 * Milliseconds that a server asks for, by seconds or a date (RFC 9110, § 10.2.3); 0 without a wish. The client's own
 * reading takes the seconds for milliseconds.
 */
function readRetryAfter({ headers }: HttpError): number {
  const text = String(headers?.["retry-after"] ?? "");
  if (/^\d+$/.test(text)) return Number(text) * 1e3;
  return Math.max(0, (Date.parse(text) || 0) - Date.now());
}

export function explainFailure(
  target: InfluxTarget,
  thrown: unknown,
  explain: (status: number, target: InfluxTarget, said: string) => string | undefined = explainStatus,
): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  if (!(thrown instanceof HttpError)) return describeFailure(target, errorMessage(thrown), thrown);
  const said = readMessage(thrown.body);
  const remedy = /retention policy not found/.test(said)
    ? "a place that was set up is gone: run `fleetmark store setup` again"
    : explain(thrown.statusCode, target, said);
  const what = `answered ${thrown.statusCode}${said === "" ? "" : ` (${said})`}${remedy === undefined ? "" : `; ${remedy}`}`;
  const retryAfterMs = readRetryAfter(thrown);
  if (retryAfterMs > 0) return new StoreBusy(`InfluxDB at ${target.url}: ${what}`, retryAfterMs, { cause: thrown });
  return describeFailure(target, what, thrown);
}
