import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Returns the path of an example that lies beside the repository; undefined where it does not. */
export function findExample(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/data/cases/${name}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}
