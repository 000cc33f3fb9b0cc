import { statSync } from "node:fs";
import { readTlsFiles, type TlsFiles, type TlsMaterial } from "@fleetmark/shared/config/tls";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { experimental, ServerCredentials } from "@grpc/grpc-js";

/** What the gRPC server shows its clients, and asks of them. */
export interface GrpcCredentials {
  readonly server: ServerCredentials;
  /** Whether every client has shown a certificate of ours: its names are then the hosts it may speak for. */
  readonly mutual: boolean;
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
 * Hands the latest material to the servers that listen, first and whenever it changes. The first time a little later:
 * the library adds its listeners to us before it has added the server to them, and would tell nobody.
 */
function createProvider(material: TlsMaterial) {
  type Listener<Update> = (update: Update | null) => void;
  const caListeners = new Set<Listener<experimental.CaCertificateUpdate>>();
  const identityListeners = new Set<Listener<experimental.IdentityCertificateUpdate>>();
  let latest = material;
  const tellCa = (listener: Listener<experimental.CaCertificateUpdate>): void => {
    listener(latest.ca === undefined ? null : { caCertificate: latest.ca });
  };
  const tellIdentity = (listener: Listener<experimental.IdentityCertificateUpdate>): void => {
    const { identity } = latest;
    listener(identity === undefined ? null : { certificate: identity.cert, privateKey: identity.key });
  };
  return {
    set: (changed: TlsMaterial): void => {
      latest = changed;
      for (const listener of caListeners) tellCa(listener);
      for (const listener of identityListeners) tellIdentity(listener);
    },
    addCaCertificateListener: (listener: Listener<experimental.CaCertificateUpdate>): void => {
      caListeners.add(listener);
      queueMicrotask(() => tellCa(listener));
    },
    removeCaCertificateListener: (listener: Listener<experimental.CaCertificateUpdate>): void =>
      void caListeners.delete(listener),
    addIdentityCertificateListener: (listener: Listener<experimental.IdentityCertificateUpdate>): void => {
      identityListeners.add(listener);
      queueMicrotask(() => tellIdentity(listener));
    },
    removeIdentityCertificateListener: (listener: Listener<experimental.IdentityCertificateUpdate>): void =>
      void identityListeners.delete(listener),
  };
}

/**
 * Reads the TLS files of the gRPC server, and reads them again when they change: new connections then get the new
 * certificate, those that are open stay. Files that are wrong after a change are told in the log, and the ones before
 * stay in force.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function openGrpcCredentials(files: TlsFiles, logger: Logger): GrpcCredentials {
  const material = readTlsFiles(files, "grpc.tls");
  if (material === undefined) return { server: ServerCredentials.createInsecure(), mutual: false, close: () => {} };
  const provider = createProvider(material);
  const mutual = material.ca !== undefined;
  let seen = stampFiles(files);
  const look = (): void => {
    try {
      const stamp = stampFiles(files);
      if (stamp === seen) return;
      seen = stamp;
      const changed = readTlsFiles(files, "grpc.tls");
      if (changed !== undefined) provider.set(changed);
      logger.info({ event: "tls_reloaded" }, "the TLS files changed; new connections use them");
    } catch (thrown) {
      logger.error({ event: "tls_reload_failed", error: errorMessage(thrown) }, "the TLS files changed and can't be used");
    }
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return {
    // The identity comes first, whatever the parameters are called in the library's types (1.14).
    server: experimental.createCertificateProviderServerCredentials(provider, mutual ? provider : null, mutual),
    mutual,
    close: () => clearInterval(timer),
  };
}
