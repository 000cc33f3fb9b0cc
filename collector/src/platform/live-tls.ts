import { statSync } from "node:fs";
import { readTlsFiles, type TlsFiles, type TlsMaterial } from "@fleetmark/shared/config/tls";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";

/** The TLS files of a server, which are read again when they change. */
export interface LiveTls {
  /** What they held when they were opened; undefined where none are configured. */
  readonly material: TlsMaterial | undefined;
  /** Stops watching the files. */
  close(): void;
}

/**
 * Between two looks at the files. A look is a few stats; watching by inotify misses what is renamed or mounted over.
 */
const lookEveryMs = 5000;

/** Changes whenever one of the files does. */
function stampFiles(files: TlsFiles): string {
  const stamps = Object.values(files).map((path) => {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  });
  return stamps.join();
}

/**
 * Reads the TLS files of a server, and reads them again when they change: new connections then get the new
 * certificate, those that are open stay. Files that are wrong after a change are told in the log, and the ones before
 * stay in force.
 * @param where the key that holds them, such as `grpc.tls`
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function openLiveTls(files: TlsFiles, where: string, logger: Logger, onChange: (material: TlsMaterial) => void): LiveTls {
  const material = readTlsFiles(files, where);
  if (material === undefined) return { material, close: () => {} };
  let seen = stampFiles(files);
  const look = (): void => {
    try {
      const stamp = stampFiles(files);
      if (stamp === seen) return;
      seen = stamp;
      const changed = readTlsFiles(files, where);
      if (changed !== undefined) onChange(changed);
      logger.info({ event: "tls_reloaded", key: where }, "the TLS files changed; new connections use them");
    } catch (thrown) {
      const fields = { event: "tls_reload_failed", key: where, error: errorMessage(thrown) } as const;
      logger.error(fields, "the TLS files changed and can't be used");
    }
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { material, close: () => clearInterval(timer) };
}
