import { readFile } from "node:fs/promises";
import { readOwnerToken } from "@fleetmark/collector/access";
import type { CollectorConfig } from "@fleetmark/collector/config";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Endpoint,
  type GivenAddress,
  makeEndpoint,
  makeOwnEndpoint,
  parseGivenAddress,
  type ReadToken,
} from "../client/endpoint.js";

/** What says which collector is asked, and by what right. */
export interface CollectorOptions {
  readonly collector?: GivenAddress;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

function readGivenAddress(text: string): GivenAddress {
  const given = parseGivenAddress(text);
  if (given === undefined) throw new InvalidArgumentError("It looks like 127.0.0.1:7421, or https://fleet.example:7421.");
  return given;
}

/** Gives a command the flags that name a running collector. */
export function addCollectorFlags(command: Command, what: string): Command {
  return command
    .addOption(new Option("--collector <address>", what).argParser(readGivenAddress))
    .addOption(new Option("--token-file <file>", "file that holds a token (see `fleetmark token`)").env("FLEETMARK_TOKEN_FILE"))
    .addOption(
      new Option("--ca-file <file>", "authorities of an https:// collector (default: Node.js's)").env("FLEETMARK_CA_FILE"),
    );
}

async function readTokenFile(path: string): Promise<string> {
  try {
    const token = (await readFile(path, "utf8")).trim();
    if (/^[\w.~+/=-]{1,500}$/.test(token)) return token;
  } catch (cause) {
    throw new FleetmarkError("TOKEN_INVALID", errorMessage(cause), { cause });
  }
  throw new FleetmarkError("TOKEN_INVALID", `${path} holds no token`);
}

/** Chooses the token: that of a file, else a directory's owner's. A file that holds none is told at once. */
async function chooseToken(tokenFile: string | undefined, dataDir: string | undefined): Promise<ReadToken> {
  if (tokenFile === undefined) return async () => (dataDir === undefined ? undefined : readOwnerToken(dataDir));
  await readTokenFile(tokenFile);
  return () => readTokenFile(tokenFile);
}

/**
 * Finds the collector that a flag names; undefined where none does.
 * @param dataDir a directory whose owner needs no other token
 * @throws FleetmarkError TOKEN_INVALID, TLS_NEEDED, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function findNamedEndpoint(
  { collector, tokenFile, caFile }: CollectorOptions,
  dataDir?: string,
): Promise<Endpoint | undefined> {
  if (collector === undefined) return undefined;
  return makeEndpoint(collector, await chooseToken(tokenFile, dataDir), caFile);
}

/**
 * Finds the collector of this machine that a configuration describes.
 * @throws FleetmarkError TOKEN_INVALID, TLS_UNREADABLE
 */
export async function findOwnEndpoint(
  { http, data_dir }: Pick<CollectorConfig, "http" | "data_dir">,
  { tokenFile }: Pick<CollectorOptions, "tokenFile"> = {},
): Promise<Endpoint> {
  return makeOwnEndpoint(http.listen, http.tls, await chooseToken(tokenFile, data_dir));
}
