import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWholeFile } from "@fleetmark/shared/tools/whole-file";

/**
 * A token that a collector makes anew at each start and leaves beside its data, for its owner alone to read: whoever
 * can read the data directory is its owner, and needs no other proof on this machine.
 */
const fileName = "owner.token";

export async function makeOwnerToken(dataDir: string): Promise<string> {
  const token = `fm_owner_${randomBytes(32).toString("base64url")}`;
  await writeWholeFile(join(dataDir, fileName), `${token}\n`);
  return token;
}

/** Reads what a collector on this directory left; undefined where none has, or it is not for this user to read. */
export async function readOwnerToken(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dataDir, fileName), "utf8")).trim();
  } catch {
    return undefined;
  }
}
