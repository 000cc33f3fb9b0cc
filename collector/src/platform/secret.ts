import { readFile } from "node:fs/promises";

/** Reads a secret from its file, each time anew: it may be rotated. */
export async function readSecret(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trim();
}

/** The header that shows a token from its file; none without one. */
export async function bearToken(file: string | undefined): Promise<Record<string, string>> {
  return file === undefined ? {} : { authorization: `Bearer ${await readSecret(file)}` };
}
