import { readFileSync } from "node:fs";
import { readTlsFiles, type TlsFiles } from "@fleetmark/shared/config/tls";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress, isLoopback, parseAddress } from "@fleetmark/shared/model/units";

/** How a server proves that it is the collector that is meant. */
export type Proof =
  /** A certificate that comes from these authorities, or else from one that Node.js trusts, and names the address. */
  | { readonly kind: "authority"; readonly ca: Buffer | undefined }
  /** This very certificate, in PEM form: whoever configures the collector knows it. */
  | { readonly kind: "certificate"; readonly pem: Buffer };

/**
 * Reads the token to show, a secret; undefined where there is none: then nothing can be changed, and beyond this
 * machine nothing be read. It is read for each request: a collector that is started again has another owner's token.
 */
export type ReadToken = () => Promise<string | undefined>;

/** Where a collector's HTTP API is, how it proves itself, and by what right it is asked. */
export interface Endpoint {
  readonly address: Address;
  /** Undefined for plain HTTP. */
  readonly proof?: Proof | undefined;
  readonly readToken?: ReadToken | undefined;
}

const wildcards: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Where a process on this machine finds what listens there. */
export function toReachable({ host, port }: Address): Address {
  return { host: wildcards[host] ?? host, port };
}

/** Returns the URL of a path of the collector, for people. */
export function formatUrl({ address, proof }: Endpoint, path = ""): string {
  return `${proof === undefined ? "http" : "https"}://${formatAddress(address)}${path}`;
}

/** An address as people give it: `127.0.0.1:7421`, `http://…` or `https://…`, without a path. */
export interface GivenAddress {
  readonly address: Address;
  readonly isSecure: boolean;
}

/** Returns undefined for what is no address. */
export function parseGivenAddress(text: string): GivenAddress | undefined {
  const [, scheme, rest] = /^(?:(https?):\/\/)?([^/]+)\/?$/.exec(text) ?? [];
  const address = rest === undefined ? undefined : parseAddress(rest);
  return address === undefined ? undefined : { address, isSecure: scheme === "https" };
}

/**
 * Makes the endpoint of an address that a person gave.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED; TLS_NEEDED where a token would travel in the clear
 */
export async function makeEndpoint(given: GivenAddress, readToken: ReadToken, caFile: string | undefined): Promise<Endpoint> {
  const { address, isSecure } = given;
  if (isSecure) {
    const ca = caFile === undefined ? undefined : readTlsFiles({ ca_file: caFile }, "--ca-file")?.ca;
    return { address, proof: { kind: "authority", ca }, readToken };
  }
  if (isLoopback(address) || (await readToken()) === undefined) return { address, readToken };
  const where = formatAddress(address);
  throw new FleetmarkError("TLS_NEEDED", `a token must not travel to another machine in the clear: ask https://${where}`);
}

/** Makes the endpoint of a collector of this machine, by its own configuration. */
export function makeOwnEndpoint(listen: Address, { cert_file }: TlsFiles, readToken?: ReadToken): Endpoint {
  const proof: Proof | undefined = cert_file === undefined ? undefined : { kind: "certificate", pem: readCertificate(cert_file) };
  return { address: toReachable(listen), proof, readToken };
}

function readCertificate(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new FleetmarkError("TLS_UNREADABLE", `http.tls.cert_file: ${(cause as Error).message}`, { cause });
  }
}
