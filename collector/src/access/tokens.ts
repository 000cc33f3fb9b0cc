import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { writeWholeFile } from "@fleetmark/shared/tools/whole-file";
import { z } from "zod";
import { type Role, roles } from "./roles.js";

/**
 * Tokens by which programs and people prove what they may do. A token is 256 bits of chance, so its hash needs no salt
 * and no slowness: nobody finds it by trying. Only hashes are kept, in a file beside the data that its owner alone can
 * read; it is read again when it changes.
 */

const tokenSchema = z.strictObject({
  name: z.string().min(1).max(64),
  role: z.enum(roles),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  created_us: z.int().nonnegative(),
  expires_us: z.int().nonnegative().optional(),
});

export type Token = z.infer<typeof tokenSchema>;

const fileSchema = z.strictObject({ tokens: z.array(tokenSchema).max(1000) });

const fileName = "tokens.json";
const prefix = "fm_";

export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** @throws FleetmarkError TOKEN_INVALID where the file can't be read as what it should be */
export async function readTokens(dataDir: string): Promise<Token[]> {
  const path = join(dataDir, fileName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new FleetmarkError("TOKEN_INVALID", `${path}: ${errorMessage(thrown)}`, { cause: thrown });
  }
  try {
    return fileSchema.parse(JSON.parse(text)).tokens;
  } catch (thrown) {
    throw new FleetmarkError("TOKEN_INVALID", `${path} holds no tokens: ${errorMessage(thrown).slice(0, 300)}`, {
      cause: thrown,
    });
  }
}

async function writeTokens(dataDir: string, tokens: readonly Token[]): Promise<void> {
  await writeWholeFile(join(dataDir, fileName), `${JSON.stringify({ tokens }, null, 2)}\n`);
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  /** Microseconds since the Unix epoch; undefined: never. */
  readonly expiresUs: number | undefined;
}

/**
 * Makes a token and keeps its hash. Returns the token, which nobody can read again.
 * @throws FleetmarkError TOKEN_INVALID where there is one of the name
 */
export async function createToken(dataDir: string, { name, role, expiresUs }: NewToken, nowUs: number): Promise<string> {
  const tokens = await readTokens(dataDir);
  if (tokens.some((each) => each.name === name)) throw new FleetmarkError("TOKEN_INVALID", `there is a token named ${name}`);
  const token = `${prefix}${randomBytes(32).toString("base64url")}`;
  const kept = {
    name,
    role,
    hash: hashToken(token),
    created_us: nowUs,
    ...(expiresUs === undefined ? {} : { expires_us: expiresUs }),
  };
  await writeTokens(dataDir, [...tokens, kept]);
  return token;
}

/** @throws FleetmarkError TOKEN_INVALID where there is none of the name */
export async function revokeToken(dataDir: string, name: string): Promise<void> {
  const tokens = await readTokens(dataDir);
  if (!tokens.some((each) => each.name === name)) throw new FleetmarkError("TOKEN_INVALID", `there is no token named ${name}`);
  await writeTokens(
    dataDir,
    tokens.filter((each) => each.name !== name),
  );
}

const areEqual = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** Finds whose token it is; undefined where it is nobody's, or has expired. */
export function findToken(tokens: readonly Token[], given: string, nowUs: number): Token | undefined {
  const hash = hashToken(given);
  return tokens.find((each) => areEqual(each.hash, hash) && (each.expires_us ?? Number.POSITIVE_INFINITY) > nowUs);
}

/** Tells when the file of tokens changed, cheaply. */
export async function readTokenVersion(dataDir: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(join(dataDir, fileName));
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "none";
  }
}
