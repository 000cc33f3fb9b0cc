import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";

/** Makes a temporary folder for a test; `remove` takes it away with all it holds. */
export function makeTestFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "fleetmark-agent-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What a test has to undo, newest first, when it is over. */
export interface Cleanups {
  readonly cleanups: (() => unknown)[];
  /** Makes a temporary folder that goes with the test. */
  makeDir(): string;
}

/** Undoes after each test of a file what it has listed. */
export function undoAfterEach(): Cleanups {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });
  return {
    cleanups,
    makeDir: () => {
      const folder = makeTestFolder();
      cleanups.push(folder.remove);
      return folder.path;
    },
  };
}
