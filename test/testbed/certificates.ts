import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where a certificate and its key lie, by the names that they have in a configuration. */
export interface CertificateFiles {
  readonly cert_file: string;
  readonly key_file: string;
}

/** An authority for tests, made with openssl as docs/security.md shows. */
export interface Authority {
  readonly ca_file: string;
  /** Issues a certificate for a name; `alternatives` as openssl takes them, such as `DNS:h1,IP:127.0.0.1`. */
  issue(name: string, alternatives?: string): CertificateFiles;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function createAuthority(directory: string, name = "authority"): Authority {
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  openssl("req", "-x509", ...newKey, "-days", "2", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.crt`);
  return {
    ca_file: join(directory, `${name}.crt`),
    issue: (subject, alternatives) => {
      const file = (suffix: string): string => `${name}-${subject}.${suffix}`;
      openssl("req", ...newKey, "-subj", `/CN=${subject}`, "-keyout", file("key"), "-out", file("csr"));
      writeFileSync(join(directory, file("ext")), alternatives === undefined ? "" : `subjectAltName=${alternatives}\n`);
      const by = ["-CA", `${name}.crt`, "-CAkey", `${name}.key`, "-CAcreateserial", "-days", "2"];
      openssl("x509", "-req", "-in", file("csr"), ...by, "-extfile", file("ext"), "-out", file("crt"));
      return { cert_file: join(directory, file("crt")), key_file: join(directory, file("key")) };
    },
  };
}
