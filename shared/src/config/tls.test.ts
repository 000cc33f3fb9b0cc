import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FleetmarkError } from "../errors.js";
import { readTlsFiles, type TlsFiles, tlsFilesSchema } from "./tls.js";

let directory: string;
const file = (name: string): string => join(directory, name);

function run(...args: string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
}

function makeSelfSigned(name: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  run("req", "-x509", ...key, "-out", `${name}.crt`, "-subj", `/CN=${name}`, "-days", "30");
}

function failure(files: TlsFiles, nowMs?: number): string {
  try {
    readTlsFiles(files, "grpc.tls", nowMs);
  } catch (thrown) {
    if (thrown instanceof FleetmarkError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
  return "no failure";
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fleetmark-tls-"));
  makeSelfSigned("a");
  makeSelfSigned("b");
  run("pkcs8", "-topk8", "-in", "a.key", "-passout", "pass:secret", "-out", "locked.key");
  writeFileSync(file("text"), "no PEM at all\n");
  writeFileSync(file("damaged"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  writeFileSync(file("damaged.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("readTlsFiles", () => {
  it("returns what the files hold, and nothing where none is named", () => {
    expect(readTlsFiles({}, "grpc.tls")).toBeUndefined();
    const all = readTlsFiles({ ca_file: file("b.crt"), cert_file: file("a.crt"), key_file: file("a.key") }, "grpc.tls");
    expect(all?.ca?.toString()).toContain("BEGIN CERTIFICATE");
    expect(all?.identity?.key.toString()).toContain("PRIVATE KEY");
    expect(readTlsFiles({ ca_file: file("b.crt") }, "grpc.tls")?.identity).toBeUndefined();
  });

  it("names the key and the file of everything that is wrong", () => {
    const pair = { cert_file: file("a.crt"), key_file: file("a.key") };
    expect(failure({ ca_file: file("nowhere") })).toMatch(/^TLS_UNREADABLE: grpc\.tls\.ca_file: .*nowhere/);
    expect(failure({ ca_file: directory })).toMatch(/^TLS_UNREADABLE: grpc\.tls\.ca_file/);
    expect(failure({ ca_file: file("text") })).toMatch(/^TLS_INVALID: .*text holds no certificate/);
    expect(failure({ ca_file: file("damaged") })).toMatch(/^TLS_INVALID: .*damaged certificate/);
    expect(failure({ ...pair, cert_file: file("a.key") })).toMatch(/^TLS_INVALID: grpc\.tls\.cert_file: .*no certificate/);
    expect(failure({ ...pair, key_file: file("a.crt") })).toMatch(/^TLS_INVALID: grpc\.tls\.key_file: .*no private key/);
    expect(failure({ ...pair, key_file: file("b.key") })).toMatch(/^TLS_INVALID: grpc\.tls: the key in .*b\.key is not that of/);
    expect(failure({ ...pair, key_file: file("locked.key") })).toMatch(/^TLS_INVALID: .*has a passphrase/);
    expect(failure({ ...pair, key_file: file("damaged.key") })).toMatch(/^TLS_INVALID: .*damaged private key/);
  });

  it("refuses a key that everyone can use", () => {
    const files = { cert_file: file("a.crt"), key_file: file("a.key") };
    for (const [mode, refused] of [
      [0o400, false],
      [0o640, false],
      [0o644, true],
      [0o602, true],
    ] as const) {
      chmodSync(file("a.key"), mode);
      expect([mode, failure(files).includes(`TLS_INVALID: grpc.tls.key_file: everyone can use`)]).toEqual([mode, refused]);
    }
    chmodSync(file("a.key"), 0o600);
  });

  it("refuses certificates that are not valid at this moment", () => {
    const year = 366 * 86_400_000;
    const pair = { cert_file: file("a.crt"), key_file: file("a.key") };
    expect(failure(pair, Date.now() + year)).toMatch(/^TLS_EXPIRED: grpc\.tls\.cert_file: .*CN=a expired on/);
    expect(failure(pair, Date.now() - year)).toMatch(/^TLS_EXPIRED: .*is not valid before/);
    expect(failure({ ca_file: file("b.crt") }, Date.now() + year)).toMatch(/^TLS_EXPIRED: grpc\.tls\.ca_file/);
  });
});

describe("tlsFilesSchema", () => {
  it("wants a certificate and its key together", () => {
    expect(tlsFilesSchema.parse(undefined)).toEqual({});
    expect(tlsFilesSchema.safeParse({ ca_file: "ca.pem" }).success).toBe(true);
    expect(tlsFilesSchema.safeParse({ cert_file: "c.pem" }).error?.issues[0]).toMatchObject({ path: ["key_file"] });
    expect(tlsFilesSchema.safeParse({ key_file: "k.pem" }).error?.issues[0]).toMatchObject({ path: ["cert_file"] });
    expect(tlsFilesSchema.safeParse({ ca: "ca.pem" }).success).toBe(false);
  });
});
