import { open, rename } from "node:fs/promises";

/**
 * Writes a file as a whole: whoever reads it finds what was there before or all of what is new, also after a crash. It
 * is for its owner alone.
 */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const next = `${path}.new`;
  const file = await open(next, "w", 0o600);
  try {
    // One that a crash left there may have had another mode.
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
}
