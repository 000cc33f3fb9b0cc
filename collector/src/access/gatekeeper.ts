import { errorMessage } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { readClockUs } from "../platform/clock.js";
import { makeOwnerToken } from "./owner-token.js";
import type { Caller, Role } from "./roles.js";
import { findToken, hashToken, readTokens, readTokenVersion, type Token } from "./tokens.js";

/** Tells who callers are, by what they send. */
export interface Gatekeeper extends Running {
  /**
   * @param authorization the header; without one the caller is a reader of this machine, if readers need no token
   * @param needed the role that the request takes: where nobody needs a token to read, one that is known no more does
   *   no harm
   * @returns undefined for one whose token is nobody's
   */
  identify(authorization: string | undefined, needed?: Role | null): Caller | undefined;
}

export interface GatekeeperOptions {
  readonly dataDir: string;
  /** Whether who sends no token may read: on loopback alone. */
  readonly isOpenToReaders: boolean;
  readonly logger: Logger;
}

/** Milliseconds between two looks whether tokens were made or revoked. */
const lookEveryMs = 1000;

/** Opens the door: makes the owner's token, and reads the others as they change. */
export async function openGate({ dataDir, isOpenToReaders, logger }: GatekeeperOptions): Promise<Gatekeeper> {
  const owner = hashToken(await makeOwnerToken(dataDir));
  let tokens: readonly Token[] = [];
  let version: string | undefined;
  const look = async (): Promise<void> => {
    const found = await readTokenVersion(dataDir);
    if (found === version) return;
    version = found;
    try {
      tokens = await readTokens(dataDir);
    } catch (thrown) {
      // What can't be read lets nobody in.
      tokens = [];
      logger.error({ event: "tokens_unreadable", code: "TOKEN_INVALID" }, errorMessage(thrown));
    }
  };
  await look();
  const timer = setInterval(() => void look(), lookEveryMs);
  timer.unref();
  const anyone: Caller | undefined = isOpenToReaders ? { name: "nobody", role: "read" } : undefined;
  const findByToken = (authorization: string): Caller | undefined => {
    const given = /^Bearer ([\w.~+/=-]{1,500})$/i.exec(authorization)?.[1];
    if (given === undefined) return undefined;
    if (hashToken(given) === owner) return { name: "owner", role: "admin" };
    const found = findToken(tokens, given, readClockUs());
    return found === undefined ? undefined : { name: found.name, role: found.role };
  };
  return {
    identify: (authorization, needed) =>
      authorization === undefined ? anyone : (findByToken(authorization) ?? (needed === "read" ? anyone : undefined)),
    stop: async () => clearInterval(timer),
  };
}
