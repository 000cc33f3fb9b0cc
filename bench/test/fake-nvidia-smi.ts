import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A host whose nvidia-smi does what a test says: a stand-in, first on PATH, that runs a script which may change between
 * two questions.
 */
export interface FakeNvidiaSmi {
  readonly folder: string;
  /** From now on it prints this and ends so. */
  print(text: string, exitCode?: number): void;
  /** From now on it runs this script of sh; `$@` is what it is asked. */
  act(script: string): void;
  /** From now on there is no such program, until it does something again. */
  vanish(): void;
  remove(): void;
}

export function createFakeNvidiaSmi(): FakeNvidiaSmi {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-smi-"));
  const path = join(folder, "nvidia-smi");
  let written = 0;
  const act = (script: string): void => {
    // A file of its own each: the one before may be under way.
    const file = join(folder, `act-${++written}`);
    writeFileSync(file, script);
    writeFileSync(path, `#!/bin/sh\n. '${file}'\n`);
    chmodSync(path, 0o755);
  };
  return {
    folder,
    act,
    print: (text, exitCode = 0) => {
      const file = join(folder, `text-${++written}`);
      writeFileSync(file, text);
      act(`cat '${file}'\nexit ${exitCode}\n`);
    },
    vanish: () => rmSync(path, { force: true }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
