import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import type { Address } from "@fleetmark/shared/model/units";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Authority, type CertificateFiles, createAuthority } from "../testbed/certificates.js";
import { type Ended, makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";

/** The HTTP API of a collector that listens on every address of its machine. */

const folder = makeFolder();
const data = join(folder.path, "data");
const configFile = join(folder.path, "collector.yaml");
let authority: Authority;
let server: CertificateFiles;
let collector: Program & { facts: { http: Address } };
let port = 0;
let reader = "";

function writeConfig(): void {
  writeFileSync(
    configFile,
    `data_dir: ${data}
grpc: { listen: 127.0.0.1:0 }
http: { listen: 0.0.0.0:${port}, tls: { cert_file: ${server.cert_file}, key_file: ${server.key_file} } }
`,
  );
}

beforeAll(async () => {
  authority = createAuthority(folder.path);
  server = authority.issue("collector", "IP:127.0.0.1,DNS:collector");
  writeConfig();
  collector = await startDaemon(["collector", "--config", configFile]);
  port = collector.facts.http.port;
  writeConfig();
  const made = await runProgram(["token", "create", "--name", "viewer", "--role", "read", "--data", data]);
  reader = join(folder.path, "reader.token");
  writeFileSync(reader, made.stdout);
});
afterAll(async () => {
  collector?.process.kill("SIGTERM");
  await collector?.ended;
  folder.remove();
});

function ask(path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(authority.ca_file);
    const sent = request({ host: "127.0.0.1", port, path, headers, ca }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end();
  });
}

const askAs = (args: readonly string[]): Promise<Ended> => runProgram([...args, "--json"]);

describe("an HTTP API beyond loopback", () => {
  it("is refused without TLS, before anything starts", async () => {
    const refused = await runProgram(["collector", "--http-listen", "0.0.0.0:0", "--data-dir", join(folder.path, "none")]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: .*needs TLS/)]);
  });

  it("tells strangers that it is alive and ready, and nothing else", async () => {
    expect([await ask("/healthz"), await ask("/readyz")]).toEqual([200, 200]);
    for (const path of ["/metrics", "/api/v1/hosts", "/api/v1/records/benchmark", "/api/v1/campaigns"])
      expect([path, await ask(path)]).toEqual([path, 403]);
    expect(await ask("/api/v1/hosts", { authorization: "Bearer nobody" })).toBe(403);
  });

  it("lets those in who show a token", async () => {
    const token = readFileSync(reader, "utf8").trim();
    await vi.waitFor(async () => expect(await ask("/api/v1/hosts", { authorization: `Bearer ${token}` })).toBe(200), {
      timeout: 5000,
    });
    expect(await ask("/metrics", { authorization: `Bearer ${token}` })).toBe(200);
  });

  it("is asked by the command line, which knows it by its authority", async () => {
    const there = ["--collector", `https://127.0.0.1:${port}`, "--ca-file", authority.ca_file];
    expect(await askAs(["hosts", ...there, "--token-file", reader])).toMatchObject({ code: 0, stdout: "[]\n" });
    const without = await askAs(["hosts", ...there]);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("FORBIDDEN")]);
    const run = await askAs(["fleet", "run", ...there, "--token-file", reader]);
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining("takes the role operate")]);
  });

  it("is asked by its owner, who knows its certificate by the configuration", async () => {
    expect(await askAs(["fleet", "status", "--config", configFile])).toMatchObject({ code: 0 });
    expect(await askAs(["hosts", "--config", configFile])).toMatchObject({ code: 0, stdout: "[]\n" });
  });

  it("is asked by whoever follows it over a restart, with the next owner's token", async () => {
    const { makeOwnEndpoint } = await import("#cli/client/endpoint.js");
    const { askForText } = await import("#cli/client/collector-api.js");
    const { readOwnerToken } = await import("@fleetmark/collector/access");
    const own = makeOwnEndpoint({ host: "0.0.0.0", port }, server, () => readOwnerToken(data));
    expect(await askForText(own, "/api/v1/hosts")).toBe("[]");
    const before = await readOwnerToken(data);
    collector.process.kill("SIGTERM");
    await collector.ended;
    collector = await startDaemon(["collector", "--config", configFile]);
    expect(await readOwnerToken(data)).not.toBe(before);
    expect(await askForText(own, "/api/v1/hosts")).toBe("[]");
  }, 30_000);

  it("is not taken for the collector when another answers there", async () => {
    const stranger = createAuthority(folder.path, "stranger");
    const there = ["--collector", `https://127.0.0.1:${port}`, "--token-file", reader];
    const refused = await askAs(["hosts", ...there, "--ca-file", stranger.ca_file]);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("TLS_REFUSED")]);
    const unnamed = await askAs(["hosts", "--collector", `https://localhost:${port}`, "--ca-file", authority.ca_file]);
    expect(unnamed.stderr).toMatch(/TLS_REFUSED.*(altnames|IP)/);
    const other = join(folder.path, "other.yaml");
    const theirs = stranger.issue("collector", "IP:127.0.0.1");
    writeFileSync(other, readFileSync(configFile, "utf8").replace(server.cert_file, theirs.cert_file));
    const pinned = await askAs(["fleet", "status", "--config", other]);
    expect([pinned.code, pinned.stderr]).toEqual([3, expect.stringMatching(/TLS_REFUSED.*another certificate/)]);
  });

  it("says how to ask where plain HTTP meets TLS", async () => {
    const plain = await askAs(["hosts", "--collector", `127.0.0.1:${port}`]);
    expect([plain.code, plain.stderr]).toEqual([3, expect.stringContaining("https://")]);
    const clear = await askAs(["hosts", "--collector", "192.0.2.1:7421", "--token-file", reader]);
    expect([clear.code, clear.stderr]).toEqual([2, expect.stringMatching(/TLS_NEEDED.*in the clear/)]);
    const nothing = await askAs(["hosts", "--collector", "https://fleet.example/api", "--token-file", reader]);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining("It looks like")]);
  });

  it("shows a renewed certificate to those who come after", async () => {
    const renewed = authority.issue("renewed", "IP:127.0.0.1,DNS:collector");
    copyFileSync(renewed.key_file, server.key_file);
    copyFileSync(renewed.cert_file, server.cert_file);
    const readShown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: "127.0.0.1", port, ca: readFileSync(authority.ca_file) }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.on("error", reject);
      });
    await vi.waitFor(async () => expect(await readShown()).toBe("renewed"), { timeout: 15_000, interval: 500 });
    expect(await askAs(["fleet", "status", "--config", configFile])).toMatchObject({ code: 0 });
  }, 30_000);

  it("is looked at by doctor, which finds that a collector runs there", async () => {
    const { stdout } = await runProgram(["doctor", "--config", configFile, "--json"]);
    expect(stdout).toContain("http.tls.cert_file");
    expect(stdout).toContain("A collector runs there already");
  }, 60_000);
});
