import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a temporary folder for a test; `remove` takes it away with all it holds. */
export function makeTestFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "fleetmark-agent-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
