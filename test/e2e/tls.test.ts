import { once } from "node:events";
import { copyFileSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Address } from "@fleetmark/shared/config/config";
import type { TlsFiles } from "@fleetmark/shared/config/tls";
import { formatAddress } from "@fleetmark/shared/model/units";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Delivery, startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { startGrpcLink } from "#agent/links/grpc-link.js";
import { type LinkConfig, loadLink } from "#agent/links/load-link.js";
import { type Authority, type CertificateFiles, createAuthority } from "../testbed/certificates.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";

const folder = makeFolder();
let authority: Authority;
let stranger: Authority;
let server: CertificateFiles;
let collector: Program & { facts: { grpc: Address; http: Address } };
const cleanups: (() => unknown)[] = [];

const tlsFlags = (key: string, files: TlsFiles): string[] => {
  return Object.entries(files).flatMap(([name, path]) => [`--${key}-tls-${name.replace("_", "-")}`, path]);
};

beforeAll(async () => {
  authority = createAuthority(folder.path);
  stranger = createAuthority(folder.path, "stranger");
  server = authority.issue("collector", "IP:127.0.0.1,DNS:collector");
  const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  const files = tlsFlags("grpc", { ca_file: authority.ca_file, ...server });
  collector = await startDaemon(["collector", "--data-dir", folder.path, ...listen, ...files]);
});
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});
afterAll(async () => {
  collector?.process.kill("SIGTERM");
  await collector?.ended;
  folder.remove();
});

let attached = 0;

interface Attached {
  readonly delivery: Delivery;
  /** Codes of what the link complained of. */
  readonly codes: string[];
}

/** A server that refuses a certificate may close before its alert is read: then only what that may mean is told. */
function readComplaint(line: string): string {
  const { code, msg } = JSON.parse(line);
  return /refuses the certificate/.test(msg) ? `${code}?` : code;
}

async function attach(host: string, tls: TlsFiles): Promise<Attached> {
  const codes: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => codes.push(readComplaint(line)) });
  const spool = { dir: join(folder.path, `spool-${++attached}`), maxBytes: 1e6, maxAge: 86_400, resendRate: 1e6 };
  const delivery = await startDelivery({ host, spool, flushInterval: 0.01, logger });
  const introduction = { host, agentVersion: "0", hardwareClass: "test", inventoryJson: "{}" };
  const clockOffset = createClockOffsetMeter();
  delivery.attach((window, counts) =>
    startGrpcLink({ address: collector.facts.grpc, tls, introduction, window, counts, clockOffset, logger }),
  );
  cleanups.push(() => delivery.stop(0));
  return { delivery, codes };
}

const point = () => ({ measurement: "m", tags: {}, timeUs: Date.now() * 1000, fields: { value: 1 } });

async function readMetric(name: string): Promise<number> {
  const text = await (await fetch(`http://${formatAddress(collector.facts.http)}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`fleetmark_${name} `))
      ?.split(" ")[1] ?? 0,
  );
}

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 20_000, interval: 10 });

/** Opens connections that say nothing; they end with the test. */
async function openSilent(count: number): Promise<Socket[]> {
  const { host, port } = collector.facts.grpc;
  const sockets = Array.from({ length: count }, () => connect(port, host));
  for (const socket of sockets) {
    socket.on("error", () => {});
    cleanups.push(() => socket.destroy());
  }
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

describe("what connects and says nothing", () => {
  it("keeps no agent out, is cut off after ten seconds, and is counted", async () => {
    const sockets = await openSilent(600);
    const { delivery } = await attach("h1", { ca_file: authority.ca_file, ...authority.issue("h1") });
    expect(await delivery.recordResult(point())).toBe("committed");
    expect(sockets.some(({ closed }) => closed)).toBe(false);
    await vi.waitFor(() => expect(sockets.filter(({ closed }) => !closed)).toEqual([]), { timeout: 30_000, interval: 50 });
    expect(await readMetric('handshakes_failed_total{code="too_slow"}')).toBeGreaterThanOrEqual(600);
  });
});

describe("a certificate that ends", () => {
  it("ends the stream that it opened, whose agent says so and keeps what it measures", async () => {
    const files = authority.issue("h8", "DNS:h8", 4);
    const { delivery, codes } = await attach("h8", { ca_file: authority.ca_file, ...files });
    expect(await delivery.recordResult(point())).toBe("committed");
    await vi.waitFor(() => expect(codes).toContain("TLS_EXPIRED"), { timeout: 30_000, interval: 50 });
    delivery.record([point()]);
    await delivery.flush();
    expect(delivery.spool.batches).toBe(1);
  });

  it("lets an agent start and measure, and is used once it is renewed", async () => {
    const files = authority.issue("h9", "DNS:h9", 1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const link = { link: "grpc", collector: { address: collector.facts.grpc, tls: { ca_file: authority.ca_file, ...files } } };
    const startLink = await loadLink({ ...link, nats: {} } as unknown as LinkConfig);
    expect(startLink).toBeTypeOf("function");
    const { delivery, codes } = await attach("h9", { ca_file: authority.ca_file, ...files });
    await eventually(() => expect(codes).toContain("TLS_EXPIRED"));
    const renewed = authority.issue("h9-renewed", "DNS:h9");
    copyFileSync(renewed.key_file, files.key_file);
    copyFileSync(renewed.cert_file, files.cert_file);
    expect(await delivery.recordResult(point())).toBe("committed");
  });
});

describe("mutual TLS", () => {
  it.each([
    ["its common name", "h1", undefined],
    ["a DNS name", "h2", "DNS:other,DNS:h2"],
    ["a URI", "urn:host:h3", "URI:urn:host:h3"],
  ])("lets an agent send as the host that %s of its certificate names", async (_, host, alternatives) => {
    const files = authority.issue(host.replaceAll(":", "-"), alternatives);
    const { delivery } = await attach(host, { ca_file: authority.ca_file, ...files });
    expect(await delivery.recordResult(point())).toBe("committed");
  });

  it("refuses an agent that sends as another host than its certificate names, and counts it", async () => {
    const { delivery, codes } = await attach("h2", { ca_file: authority.ca_file, ...authority.issue("h4", "DNS:h4") });
    delivery.record([point()]);
    await eventually(() => expect(codes).toContain("HOST_FOREIGN"));
    expect(await readMetric('streams_refused_total{code="HOST_FOREIGN"}')).toBeGreaterThan(0);
    expect(delivery.counts.sent).toBe(0);
  });

  it.each([
    ["has no certificate", () => ({ ca_file: authority.ca_file })],
    ["has one of another authority", () => ({ ca_file: authority.ca_file, ...stranger.issue("h1") })],
    ["trusts another authority", () => ({ ca_file: stranger.ca_file, ...authority.issue("h1") })],
  ])("refuses an agent that %s", async (_, chooseFiles) => {
    const { delivery, codes } = await attach("h1", chooseFiles());
    delivery.record([point()]);
    await eventually(() => expect(codes.length).toBeGreaterThan(0));
    // The alert, and with it what it was about, is lost where the connection is reset before it is read.
    expect(codes).toEqual(codes.map(() => expect.stringMatching(/^TLS_REFUSED$|^COLLECTOR_UNREACHABLE\??$/)));
    expect(delivery.counts.sent).toBe(0);
  });

  it("has no answer for an agent without TLS", async () => {
    const { delivery, codes } = await attach("h1", {});
    delivery.record([point()]);
    await eventually(() => expect(codes).toContain("COLLECTOR_UNREACHABLE?"));
    expect(delivery.counts.sent).toBe(0);
  });

  it("shows a renewed certificate to new connections, and keeps the one it has while the new one is wrong", async () => {
    const before = readFileSync(server.cert_file);
    const renewed = authority.issue("renewed", "IP:127.0.0.1");
    copyFileSync(renewed.cert_file, server.cert_file);
    await collector.waitFor(/tls_reload_failed.*not that of the first certificate/);
    const files = { ca_file: authority.ca_file, ...authority.issue("h5") };
    expect(await (await attach("h5", files)).delivery.recordResult(point())).toBe("committed");
    copyFileSync(renewed.key_file, server.key_file);
    await collector.waitFor(/tls_reloaded/);
    expect(await (await attach("h5", files)).delivery.recordResult(point())).toBe("committed");
    expect(readFileSync(server.cert_file).equals(before)).toBe(false);
  });

  it("is what the agent as a program speaks, by its flags", async () => {
    const files = tlsFlags("collector", { ca_file: authority.ca_file, ...authority.issue("h6", "DNS:h6") });
    const address = ["--collector-address", formatAddress(collector.facts.grpc)];
    const agent = await startDaemon([
      "agent",
      "--host",
      "h6",
      "--spool-dir",
      join(folder.path, "spool-h6"),
      ...address,
      ...files,
    ]);
    cleanups.push(() => agent.ended);
    cleanups.push(() => agent.process.kill("SIGTERM"));
    await eventually(async () => {
      const hosts = await (await fetch(`http://${formatAddress(collector.facts.http)}/api/v1/hosts`)).json();
      expect(hosts).toContainEqual(expect.objectContaining({ host: "h6", attached: true }));
    });
  });
});

describe("without TLS", () => {
  it.each([
    [
      "a collector that listens beyond this machine",
      ["collector", "--grpc-listen", "0.0.0.0:0"],
      /client certificates: set grpc\.tls/,
    ],
    ["an agent of a collector elsewhere", ["agent", "--collector-address", "192.0.2.1:7420"], /TLS alone: set collector\.tls/],
  ])("%s does not start, and says what to do", async (_, args, message) => {
    const { code, stderr } = await runProgram(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it("a collector without client certificates does not listen beyond this machine either", async () => {
    const args = ["collector", "--grpc-listen", "0.0.0.0:0", ...tlsFlags("grpc", server)];
    const { code, stderr } = await runProgram(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/client certificates/)]);
  });

  it("a key that is not the certificate's is told at the start", async () => {
    const files = { ...server, key_file: join(folder.path, "stranger.key") };
    const { code, stderr } = await runProgram(["collector", "--data-dir", join(folder.path, "x"), ...tlsFlags("grpc", files)]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/TLS_INVALID.*grpc\.tls: the key in/s)]);
  });
});
