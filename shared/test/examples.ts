import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Returns the path of an example that lies beside the repository; undefined where it does not. */
export function findExample(name: string): string | undefined {
  return findCapture(`cases/${name}`);
}

/** Returns the path of what a tool really printed; undefined where it does not lie beside the repository. */
export function findCapture(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}
