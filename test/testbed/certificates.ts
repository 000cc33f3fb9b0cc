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
  /**
   * Issues a certificate for a name; `alternatives` as openssl takes them, such as `DNS:h1,IP:127.0.0.1`. It ends after
   * so many seconds (two days), whatever the time of day.
   */
  issue(name: string, alternatives?: string, seconds?: number): CertificateFiles;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A moment as ASN.1 writes it: `openssl x509` ends certificates by whole days alone, `openssl ca` by the second. */
function formatEnd(seconds: number): string {
  return `${new Date(Date.now() + seconds * 1000).toISOString().replaceAll(/[-:T]|\.\d+Z/g, "")}Z`;
}

const authorityConfig = `[ca]
default_ca = any_ca
[any_ca]
database = index.txt
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
`;

export function createAuthority(directory: string, name = "authority"): Authority {
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  openssl("req", "-x509", ...newKey, "-days", "2", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.crt`);
  writeFileSync(join(directory, "ca.cnf"), authorityConfig);
  writeFileSync(join(directory, "index.txt"), "", { flag: "a" });
  return {
    ca_file: join(directory, `${name}.crt`),
    issue: (subject, alternatives, seconds = 2 * 86_400) => {
      const file = (suffix: string): string => `${name}-${subject}.${suffix}`;
      openssl("req", ...newKey, "-subj", `/CN=${subject}`, "-keyout", file("key"), "-out", file("csr"));
      writeFileSync(join(directory, file("ext")), alternatives === undefined ? "" : `subjectAltName=${alternatives}\n`);
      const by = ["-cert", `${name}.crt`, "-keyfile", `${name}.key`, "-enddate", formatEnd(seconds)];
      const quiet = ["-batch", "-notext", "-md", "sha256", "-policy", "any", "-config", "ca.cnf", "-outdir", "."];
      openssl("ca", ...quiet, ...by, "-in", file("csr"), "-extfile", file("ext"), "-out", file("crt"));
      return { cert_file: join(directory, file("crt")), key_file: join(directory, file("key")) };
    },
  };
}
