import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { errorMessage, FleetmarkError } from "../errors.js";

const fileSchema = z.string().min(1, "must name a file");

/** The PEM files by which a server proves its name; a certificate and its key come together. */
const identityFields = {
  cert_file: fileSchema.describe("PEM file of this side's certificate, its chain after it").optional(),
  key_file: fileSchema.describe("PEM file of the certificate's private key, without a passphrase").optional(),
};

interface IdentityFiles {
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

function checkPair({ cert_file, key_file }: IdentityFiles, context: z.RefinementCtx): void {
  if ((cert_file === undefined) === (key_file === undefined)) return;
  const [missing, message] =
    key_file === undefined
      ? ["key_file", "is needed with cert_file: the private key of the certificate"]
      : ["cert_file", "is needed with key_file: the certificate of the private key"];
  context.addIssue({ code: "custom", path: [missing], message });
}

/** The PEM files of a server whose clients show no certificates. */
export const tlsIdentitySchema = z.strictObject(identityFields).superRefine(checkPair).prefault({});

/** The PEM files of one end of a TLS connection, each optional. */
export const tlsFilesSchema = z
  .strictObject({
    ca_file: fileSchema.describe("PEM file of the authorities that the other side's certificate must come from").optional(),
    ...identityFields,
  })
  .superRefine(checkPair)
  .prefault({});

export type TlsFiles = z.infer<typeof tlsFilesSchema>;

/** What the files hold, checked, in the form that Node's and gRPC's TLS take. Secret: never log it. */
export interface TlsMaterial {
  readonly ca: Buffer | undefined;
  /** A certificate chain and its private key. */
  readonly identity: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function readPemFile(key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new FleetmarkError("TLS_UNREADABLE", `${key}: ${errorMessage(cause)}`, { cause });
  }
}

function parseCertificates(key: string, path: string, pem: Buffer): X509Certificate[] {
  const blocks = pem.toString("latin1").match(certificateBlock) ?? [];
  if (blocks.length === 0) throw new FleetmarkError("TLS_INVALID", `${key}: ${path} holds no certificate in PEM form`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new FleetmarkError("TLS_INVALID", `${key}: ${path} holds a damaged certificate: ${errorMessage(cause)}`, { cause });
  }
}

/** Says why a certificate is not valid at this moment, by its own dates. */
function judgeValidity(certificate: X509Certificate, nowMs: number): string | undefined {
  const name = certificate.subject.replaceAll("\n", ", ");
  if (nowMs < Date.parse(certificate.validFrom)) return `the certificate of ${name} is not valid before ${certificate.validFrom}`;
  if (nowMs > Date.parse(certificate.validTo)) return `the certificate of ${name} expired on ${certificate.validTo}`;
  return undefined;
}

function parseKey(key: string, path: string, pem: Buffer): KeyObject {
  const text = pem.toString("latin1");
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new FleetmarkError("TLS_INVALID", `${key}: ${path} holds no private key in PEM form`);
  }
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new FleetmarkError("TLS_INVALID", `${key}: the key in ${path} has a passphrase; \`openssl pkey\` takes it off`);
  }
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new FleetmarkError("TLS_INVALID", `${key}: ${path} holds a damaged private key`, { cause });
  }
}

/** Refuses a private key that every account of this machine can read. Windows tells nothing by these bits. */
function checkPrivate(key: string, path: string): void {
  if (process.platform === "win32") return;
  const { mode } = statSync(path);
  if ((mode & 0o007) === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, "0");
  throw new FleetmarkError(
    "TLS_INVALID",
    `${key}: everyone can use the key in ${path} (mode ${shown}); \`chmod 600\` mends that`,
  );
}

function readAuthorities(key: string, path: string, nowMs: number): Buffer {
  const pem = readPemFile(key, path);
  const reasons = parseCertificates(key, path, pem).map((certificate) => judgeValidity(certificate, nowMs));
  // A bundle may hold old authorities beside the new ones; it is of no use only when none of them is valid.
  if (reasons.every((reason) => reason !== undefined)) {
    throw new FleetmarkError("TLS_EXPIRED", `${key}: in ${path}, ${reasons[0]}`);
  }
  return pem;
}

function readIdentity(where: string, certFile: string, keyFile: string, nowMs: number): TlsMaterial["identity"] {
  const cert = readPemFile(`${where}.cert_file`, certFile);
  const key = readPemFile(`${where}.key_file`, keyFile);
  const [leaf] = parseCertificates(`${where}.cert_file`, certFile, cert);
  if (!leaf.checkPrivateKey(parseKey(`${where}.key_file`, keyFile, key))) {
    throw new FleetmarkError(
      "TLS_INVALID",
      `${where}: the key in ${keyFile} is not that of the first certificate in ${certFile}`,
    );
  }
  checkPrivate(`${where}.key_file`, keyFile);
  const reason = judgeValidity(leaf, nowMs);
  if (reason !== undefined) throw new FleetmarkError("TLS_EXPIRED", `${where}.cert_file: in ${certFile}, ${reason}`);
  return { cert, key };
}

/**
 * Reads and checks the files that a configuration names; `where` is the key that holds them, such as `grpc.tls`.
 * Returns undefined when none is named: no TLS.
 * @throws FleetmarkError TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED naming the key and the file
 */
export function readTlsFiles(files: TlsFiles, where: string, nowMs = Date.now()): TlsMaterial | undefined {
  const { ca_file, cert_file, key_file } = files;
  if (ca_file === undefined && cert_file === undefined) return undefined;
  return {
    ca: ca_file === undefined ? undefined : readAuthorities(`${where}.ca_file`, ca_file, nowMs),
    identity: cert_file === undefined || key_file === undefined ? undefined : readIdentity(where, cert_file, key_file, nowMs),
  };
}
