import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Running } from "../lifecycle.js";
import type { Logger } from "../log.js";
import type { TlsFiles } from "./tls.js";

/** How long the certificates of a process are valid: an operator is to hear of it before they are not. */

const dayMs = 86_400_000;
/** Days before the end from which it is told of, and from which it is an error. */
const tellFromDays = 30;
const urgentFromDays = 3;
const lookEveryMs = 3_600_000;

/** A certificate of this process, as a key of the configuration names it. */
export interface OwnCertificate {
  readonly key: string;
  readonly file: string;
}

/** Lists the certificates that configured files hold of this side. */
export function listCertificates(sections: Readonly<Record<string, TlsFiles>>): OwnCertificate[] {
  return Object.entries(sections).flatMap(([where, { cert_file }]) =>
    cert_file === undefined ? [] : [{ key: `${where}.cert_file`, file: cert_file }],
  );
}

/**
 * Returns the days until a certificate ends, below zero once it has; undefined where the file can't be read, which
 * whoever uses it tells.
 */
export function readDaysLeft(file: string, nowMs: number): number | undefined {
  try {
    // The first of a file is the process's own; those after it are its chain.
    return (Date.parse(new X509Certificate(readFileSync(file)).validTo) - nowMs) / dayMs;
  } catch {
    return undefined;
  }
}

export interface CertificateWatch extends Running {
  /** Days until the first of them ends; undefined where there is none. */
  daysLeft(): number | undefined;
}

/** Reads the files again and again, and logs once a day what ends soon. */
export function watchCertificates(certificates: readonly OwnCertificate[], logger: Logger): CertificateWatch {
  const told = new Map<string, number>();
  const daysLeft = (): number | undefined => {
    const days = certificates.map(({ file }) => readDaysLeft(file, Date.now())).filter((each) => each !== undefined);
    return days.length === 0 ? undefined : Math.min(...days);
  };
  const look = (): void => {
    const nowMs = Date.now();
    for (const { key, file } of certificates) {
      const days = readDaysLeft(file, nowMs);
      if (days === undefined || days > tellFromDays || nowMs - (told.get(key) ?? 0) < dayMs) continue;
      told.set(key, nowMs);
      const message =
        days < 0 ? `the certificate in ${file} has expired` : `the certificate in ${file} ends in ${days.toFixed(1)} days`;
      const fields = { event: "certificate_ending", key, days: Number(days.toFixed(2)) } as const;
      if (days < urgentFromDays) logger.error(fields, message);
      else logger.warn(fields, message);
    }
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { daysLeft, stop: async () => clearInterval(timer) };
}
