import { request as httpRequest } from "node:http";
import { errorMessage, FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { z } from "zod";

/** Asks a collector to change something, by a token. */

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** What a person waits for at most, milliseconds. */
const patienceMs = 60_000;

function post(address: Address, path: string, token: string | undefined, body: string): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { host, port } = address;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...authorization };
    const signal = AbortSignal.timeout(patienceMs);
    const sent = httpRequest({ method: "POST", host, port, path, headers, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What the collector gave as its reason, as an error of the catalogue. */
function readRefusal(where: string, { status, text }: Answered): FleetmarkError {
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
  address: Address,
  what: string,
  shape: S,
  body: unknown,
  token: string | undefined,
): Promise<z.infer<S>> {
  const where = `http://${formatAddress(address)}/api/v1/${what}`;
  let answered: Answered;
  try {
    answered = await post(address, `/api/v1/${what}`, token, JSON.stringify(body));
  } catch (cause) {
    const reason = errorMessage(cause) || String((cause as NodeJS.ErrnoException).code);
    throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no collector answers at ${formatAddress(address)}: ${reason}`, { cause });
  }
  if (answered.status !== 200) throw readRefusal(where, answered);
  const parsed = shape.safeParse(JSON.parse(answered.text));
  if (parsed.success) return parsed.data;
  throw new FleetmarkError("COLLECTOR_FAILED", `${where} did not answer as a Fleetmark collector does`);
}
