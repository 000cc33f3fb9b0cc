import { X509Certificate } from "node:crypto";
import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { type Endpoint, formatUrl } from "./endpoint.js";

/** What is sent to a collector. */
export interface Sent {
  /** Milliseconds. */
  readonly patienceMs: number;
  /** A JSON document; with it the request is a POST. */
  readonly body?: string;
}

export interface Received {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A server that is not the one that is meant. Nothing was sent to it. */
class Impostor extends Error {}

/** Connects to the server that shows one certificate and no other. */
function connectToCertificate({ host, port }: Address, pem: Buffer, signal: AbortSignal): Promise<TLSSocket> {
  const expected = new X509Certificate(pem).raw;
  return new Promise((resolve, reject) => {
    // What it shows is compared byte by byte instead.
    const socket = connect({ host, port, rejectUnauthorized: false }, () => {
      const shown = socket.getPeerX509Certificate();
      if (shown?.raw.equals(expected)) {
        resolve(socket);
        return;
      }
      socket.destroy(new Impostor("it shows another certificate than the configuration names (http.tls.cert_file)"));
    });
    signal.addEventListener("abort", () => socket.destroy(signal.reason), { once: true });
    socket.once("error", reject);
  });
}

/** Chooses what opens a request, so that its answer can come from the collector alone. */
async function chooseTransport({ address, proof }: Endpoint, signal: AbortSignal) {
  if (proof === undefined) return { request: requestPlain, options: {} };
  if (proof.kind === "authority") return { request: requestSecure, options: { ca: proof.ca } };
  const socket = await connectToCertificate(address, proof.pem, signal);
  return { request: requestPlain, options: { createConnection: () => socket } };
}

async function send(endpoint: Endpoint, path: string, { patienceMs, body }: Sent): Promise<Received> {
  const { address, readToken } = endpoint;
  const token = await readToken?.();
  const signal = AbortSignal.timeout(patienceMs);
  const { request, options } = await chooseTransport(endpoint, signal);
  const headers = {
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const sent = request({ method, ...address, path, headers, signal, ...options }, (response) => {
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

function explain(thrown: unknown, { proof }: Endpoint, patienceMs: number): string {
  const { name, code, message } = thrown as NodeJS.ErrnoException;
  if (code === "ECONNRESET" && proof === undefined) return "it hung up; if it speaks TLS, ask https://";
  if (name === "AbortError" || name === "TimeoutError") return `nothing within ${patienceMs / 1000} s`;
  // Where a name has several addresses, the error of them all carries no message.
  return message || code || errorMessage(thrown);
}

/** Says why a server is not taken for the collector; undefined where something else is wrong. */
function findRefusal(thrown: unknown): string | undefined {
  if (thrown instanceof Impostor) return thrown.message;
  const code = systemErrorCode(thrown) ?? "";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "EPROTO") return "it speaks no TLS: ask http://";
  return /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_|HOSTNAME_)/.test(code) ? errorMessage(thrown) : undefined;
}

/**
 * Sends a request to a collector and reads what it answers, whatever its status. It takes Node's own client, for
 * fetch() brings WebAssembly along, whose memory can't be had where address space is bounded (`ulimit -v`).
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers, TLS_REFUSED when a server does not prove that it
 *   is the collector
 */
export async function exchange(endpoint: Endpoint, path: string, sent: Sent): Promise<Received> {
  try {
    return await send(endpoint, path, sent);
  } catch (cause) {
    const where = formatAddress(endpoint.address);
    const refusal = findRefusal(cause);
    if (refusal !== undefined) throw new FleetmarkError("TLS_REFUSED", `${formatUrl(endpoint)}: ${refusal}`, { cause });
    const reason = explain(cause, endpoint, sent.patienceMs);
    throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no collector answers at ${where}: ${reason}`, { cause });
  }
}
