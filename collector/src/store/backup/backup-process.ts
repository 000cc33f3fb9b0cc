import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import type { BackupManifest, OnBytes } from "./backup.js";

/** What the child that copies says. */
export type BackupChildMessage =
  | { readonly kind: "bytes"; readonly done: number; readonly all: number }
  | { readonly kind: "done"; readonly manifest: BackupManifest }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

const program = fileURLToPath(new URL("backup-child.js", import.meta.url));

/**
 * Makes a backup in a process of its own: POSIX record locks belong to a process, and whoever opens and closes the data
 * file in the one that holds it would release the engine's lock (fcntl(2), "Advisory record locking").
 * @param signal ends it early, and leaves nothing behind
 * @throws FleetmarkError as `makeBackup` does
 */
export function backUpApart(
  dataFile: string,
  folder: string,
  nowUs: number,
  onBytes: OnBytes,
  signal?: AbortSignal,
): Promise<BackupManifest> {
  return new Promise((resolve, reject) => {
    const child = fork(program, [dataFile, folder, String(nowUs)], { stdio: "ignore", execArgv: [] });
    let ended = false;
    const stop = (): void => {
      if (child.connected) child.disconnect();
    };
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (message: BackupChildMessage) => {
      if (message.kind === "bytes") onBytes(message.done, message.all);
      else ended = true;
      if (message.kind === "done") resolve(message.manifest);
      if (message.kind === "failed") reject(new FleetmarkError(message.code, message.message));
    });
    child.once("error", (cause) =>
      reject(new FleetmarkError("FILE_FAILED", `cannot copy ${dataFile}: ${cause.message}`, { cause })),
    );
    child.once("exit", (code, signalName) => {
      signal?.removeEventListener("abort", stop);
      if (!ended)
        reject(
          new FleetmarkError("FILE_FAILED", `the copying of ${dataFile} ended early (${signalName ?? `exit code ${code}`})`),
        );
    });
  });
}
