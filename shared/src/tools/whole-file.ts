import { open, rename } from "node:fs/promises";

/**
 * Writes a file as a whole: whoever reads it finds what was there before or all of what is new, also after a crash.
 * @param mode default: for its owner alone
 */
export async function writeWholeFile(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const next = `${path}.new`;
  const file = await open(next, "w", mode);
  try {
    // One that a crash left there may have had another mode.
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
}
