import { FleetmarkError } from "@fleetmark/shared/errors";
import { makeBackup } from "./backup.js";
import type { BackupChildMessage } from "./backup-process.js";

/** The process that copies a data file; see backup-process.ts. Its parent's end ends it. */

const [dataFile, folder, nowUs] = process.argv.slice(2);
const aborting = new AbortController();
process.once("disconnect", () => aborting.abort());

function tell(message: BackupChildMessage): void {
  process.send?.(message);
}

let toldMs = 0;
try {
  const manifest = await makeBackup(
    dataFile,
    folder,
    Number(nowUs),
    (done, all) => {
      if (performance.now() - toldMs < 200) return;
      toldMs = performance.now();
      tell({ kind: "bytes", done, all });
    },
    aborting.signal,
  );
  tell({ kind: "done", manifest });
} catch (thrown) {
  const code = thrown instanceof FleetmarkError ? thrown.code : "INTERNAL";
  tell({ kind: "failed", code, message: thrown instanceof Error ? thrown.message : String(thrown) });
}
process.disconnect?.();
