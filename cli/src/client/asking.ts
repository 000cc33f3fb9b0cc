import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { z } from "zod";
import { type Endpoint, formatUrl } from "./endpoint.js";
import { exchange, type Received } from "./exchange.js";

/** Asks a collector to change something, by a token. */

/** What a person waits for at most, milliseconds. */
const patienceMs = 60_000;

/** Reads what a collector gave as its reason, as an error of the catalogue. */
export function readRefusal(where: string, { status, text }: Received): FleetmarkError {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === "string" && isErrorCode(code)) return new FleetmarkError(code, String(message).slice(0, 1000));
  } catch {
    // It was no collector that answered.
  }
  return new FleetmarkError("COLLECTOR_FAILED", `${where} answered ${status}: ${text.slice(0, 300)}`);
}

/**
 * Asks a collector to change something; the answer is checked by the shape that the API promises.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE, COLLECTOR_FAILED, and what the collector gave as its reason
 */
export async function askForChange<S extends z.ZodType>(
  endpoint: Endpoint,
  what: string,
  shape: S,
  body: unknown,
): Promise<z.infer<S>> {
  const where = formatUrl(endpoint, `/api/v1/${what}`);
  const answered = await exchange(endpoint, `/api/v1/${what}`, { patienceMs, body: JSON.stringify(body) });
  if (answered.status !== 200) throw readRefusal(where, answered);
  const parsed = shape.safeParse(JSON.parse(answered.text));
  if (parsed.success) return parsed.data;
  throw new FleetmarkError("COLLECTOR_FAILED", `${where} did not answer as a Fleetmark collector does`);
}
