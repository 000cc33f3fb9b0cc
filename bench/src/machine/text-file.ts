import { readFileSync } from "node:fs";

/** Returns the trimmed text of a file, or undefined where it can't be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Returns the number that the file's text matches, in the pattern's first group, times `scale`. */
export function readCounter(path: string, pattern: RegExp, scale: number): number | undefined {
  const found = readText(path)?.match(pattern)?.[1];
  return found === undefined ? undefined : Number(found) * scale;
}
