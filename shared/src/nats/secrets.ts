import { readFileSync } from "node:fs";
import type { Authenticator } from "@nats-io/transport-node";
import { errorMessage, FleetmarkError } from "../errors.js";
import type { NatsConfig } from "./config.js";

type Library = Pick<
  typeof import("@nats-io/transport-node"),
  "usernamePasswordAuthenticator" | "tokenAuthenticator" | "nkeyAuthenticator" | "credsAuthenticator"
>;

/** Reads a secret, without the line's end that editors and `echo` leave. */
function readSecret(key: string, path: string): Buffer {
  let secret: Buffer;
  try {
    secret = readFileSync(path);
  } catch (cause) {
    throw new FleetmarkError("NATS_SECRET_INVALID", `nats.${key}: ${errorMessage(cause)}`, { cause });
  }
  const text = secret.toString("utf8").replace(/(\r?\n)+$/, "");
  if (text === "") throw new FleetmarkError("NATS_SECRET_INVALID", `nats.${key}: ${path} is empty`);
  return Buffer.from(text);
}

/** Tries an authenticator on a nonce, so that a damaged seed is found before a server is asked. */
function checkSigner(key: string, path: string, sign: Authenticator): Authenticator {
  try {
    sign("nonce");
  } catch {
    // The library's message may quote what it could not read.
    const what = key === "creds_file" ? "no JWT with its NKey seed" : "no NKey seed";
    throw new FleetmarkError("NATS_SECRET_INVALID", `nats.${key}: ${path} holds ${what}`);
  }
  return sign;
}

/**
 * Reads the files that say who connects, anew for each connection, so that a renewed secret is taken up. Undefined
 * where nothing is configured. The secrets are in no message.
 * @throws FleetmarkError NATS_SECRET_INVALID
 */
export function readNatsSecrets(config: NatsConfig, library: Library): Authenticator | undefined {
  const { user, password_file, token_file, nkey_file, creds_file } = config;
  if (user !== "" && password_file !== undefined) {
    return library.usernamePasswordAuthenticator(user, readSecret("password_file", password_file).toString());
  }
  if (token_file !== undefined) return library.tokenAuthenticator(readSecret("token_file", token_file).toString());
  if (nkey_file !== undefined) {
    return checkSigner("nkey_file", nkey_file, library.nkeyAuthenticator(readSecret("nkey_file", nkey_file)));
  }
  if (creds_file !== undefined) {
    // Its last line must end, for the library to find the seed.
    const creds = Buffer.concat([readSecret("creds_file", creds_file), Buffer.from("\n")]);
    return checkSigner("creds_file", creds_file, library.credsAuthenticator(creds));
  }
  return undefined;
}
