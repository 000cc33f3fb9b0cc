import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listCertificates, readDaysLeft, watchCertificates } from "./certificate-life.js";

let directory: string;
const file = (name: string): string => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fleetmark-life-"));
  for (const days of ["20", "90"]) {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${days}.key`)];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", file(days), "-subj", "/CN=x", "-days", days], { stdio: "pipe" });
  }
  writeFileSync(file("none"), "no certificate\n");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the life of a certificate", () => {
  it("is told in days, below zero once it has ended, and not where there is none", () => {
    expect(readDaysLeft(file("20"), Date.now())).toBeCloseTo(20, 1);
    expect(readDaysLeft(file("20"), Date.now() + 21 * 86_400_000)).toBeCloseTo(-1, 1);
    expect([readDaysLeft(file("none"), 0), readDaysLeft(file("missing"), 0)]).toEqual([undefined, undefined]);
  });

  it("is that of the first to end, and is logged from a month before", async () => {
    const lines: { event: string; key: string; days: number }[] = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const sections = { "grpc.tls": { cert_file: file("90") }, "nats.tls": { cert_file: file("20") }, other: {} };
    const watch = watchCertificates(listCertificates(sections), logger);
    expect(watch.daysLeft()).toBeCloseTo(20, 1);
    expect(lines).toMatchObject([{ event: "certificate_ending", key: "nats.tls.cert_file", level: 40 }]);
    await watch.stop();
    expect(watchCertificates([], logger).daysLeft()).toBeUndefined();
  });
});
