import { request } from "node:http";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";

/** What is sent to a collector. */
export interface Sent {
  /** Milliseconds. */
  readonly patienceMs: number;
  /** A JSON document; with it the request is a POST. */
  readonly body?: string;
  readonly token?: string | undefined;
}

export interface Received {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function send({ host, port }: Address, path: string, { patienceMs, body, token }: Sent): Promise<Received> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const method = body === undefined ? "GET" : "POST";
    const sent = request({ method, host, port, path, headers, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function explain(thrown: unknown, patienceMs: number): string {
  const { name, code, message } = thrown as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return `nothing within ${patienceMs / 1000} s`;
  // Where a name has several addresses, the error of them all carries no message.
  return message || code || errorMessage(thrown);
}

/**
 * Sends a request to a collector and reads what it answers, whatever its status. It takes Node's own client, for
 * fetch() brings WebAssembly along, whose memory can't be had where address space is bounded (`ulimit -v`).
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers
 */
export async function exchange(address: Address, path: string, sent: Sent): Promise<Received> {
  try {
    return await send(address, path, sent);
  } catch (cause) {
    const reason = explain(cause, sent.patienceMs);
    throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no collector answers at ${formatAddress(address)}: ${reason}`, { cause });
  }
}
