import type { TlsFiles, TlsMaterial } from "@fleetmark/shared/config/tls";
import type { Logger } from "@fleetmark/shared/log";
import { experimental, ServerCredentials } from "@grpc/grpc-js";
import { openLiveTls } from "../../platform/live-tls.js";

/** What the gRPC server shows its clients, and asks of them. */
export interface GrpcCredentials {
  readonly server: ServerCredentials;
  /** Whether every client has shown a certificate of ours: its names are then the hosts it may speak for. */
  readonly mutual: boolean;
  /** Stops watching the files. */
  close(): void;
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
 * Reads the TLS files of the gRPC server, and hands it what they hold after a change.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export function openGrpcCredentials(files: TlsFiles, logger: Logger): GrpcCredentials {
  let provider: ReturnType<typeof createProvider> | undefined;
  const { material, close } = openLiveTls(files, "grpc.tls", logger, (changed) => provider?.set(changed));
  if (material === undefined) return { server: ServerCredentials.createInsecure(), mutual: false, close };
  provider = createProvider(material);
  const mutual = material.ca !== undefined;
  return {
    // The identity comes first, whatever the parameters are called in the library's types (1.14).
    server: experimental.createCertificateProviderServerCredentials(provider, mutual ? provider : null, mutual),
    mutual,
    close,
  };
}
