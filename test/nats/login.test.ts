import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { nkeys } from "@nats-io/transport-node";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { createAuthority } from "../testbed/certificates.js";
import { openTestAgent, openTestCollector } from "../testbed/fleet.js";
import { startNats } from "../testbed/nats.js";
import { makeJwtBed } from "../testbed/nats-jwt.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder } from "../testbed/program.js";

const patience = { timeout: 20_000, interval: 20 };
const folder = makeFolder();
afterAll(folder.remove);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Writes a secret into a file, ended as an editor ends it. */
function keep(name: string, secret: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return path;
}

async function startServer(config: string) {
  const server = await startNats({ config: () => config });
  cleanups.push(server.remove);
  return server;
}

async function openAgent(host: string, nats: object) {
  const agent = await openTestAgent({ host, nats });
  cleanups.push(agent.close);
  return agent;
}

async function openCollector(nats: object) {
  const collector = await openTestCollector({ nats });
  cleanups.push(collector.stop);
  return collector;
}

interface Way {
  readonly name: string;
  readonly config: string;
  readonly right: object;
  readonly wrong: object;
  readonly secret: string;
}

function listWays(): Way[] {
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const seed = (pair: typeof user): string => Buffer.from(pair.getSeed()).toString();
  const [jwt, foreign] = [makeJwtBed(), makeJwtBed()];
  const password = "correct horse";
  return [
    {
      name: "user and password",
      config: `authorization { user: fleet, password: "${password}" }`,
      right: { user: "fleet", password_file: keep("password", password) },
      wrong: { user: "fleet", password_file: keep("wrong-password", "battery staple") },
      secret: password,
    },
    {
      name: "token",
      config: 'authorization { token: "t0ken-of-all" }',
      right: { token_file: keep("token", "t0ken-of-all") },
      wrong: { token_file: keep("wrong-token", "another") },
      secret: "t0ken-of-all",
    },
    {
      name: "NKey",
      config: `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`,
      right: { nkey_file: keep("nkey", seed(user)) },
      wrong: { nkey_file: keep("wrong-nkey", seed(stranger)) },
      secret: seed(user),
    },
    {
      name: "credentials file",
      config: jwt.config,
      right: { creds_file: keep("creds", jwt.creds) },
      wrong: { creds_file: keep("wrong-creds", foreign.creds) },
      secret: jwt.creds.split("\n")[5],
    },
  ];
}

describeWith("nats-server")("logging in to NATS", () => {
  it.each(listWays())("by $name", async ({ config, right, wrong, secret }) => {
    const server = await startServer(config);
    const collector = await openCollector({ servers: [server.url], ...right });
    const agent = await openAgent("h1", { servers: [server.url], ...right });
    const stranger = await openAgent("h2", { servers: [server.url], ...wrong });
    expect(await agent.produce(3)).toEqual(Array(3).fill("committed"));
    await vi.waitFor(() => expect(stranger.codes()).toContain("NATS_REFUSED"), patience);
    const said = JSON.stringify([collector.events, agent.events, stranger.events]);
    expect(said).not.toContain(secret);
  });

  it("takes up a password that is mended while it runs", async () => {
    const server = await startServer('authorization { user: fleet, password: "new" }');
    const password_file = keep("changing", "old");
    await openCollector({ servers: [server.url], user: "fleet", password_file: keep("known", "new") });
    const agent = await openAgent("h1", { servers: [server.url], user: "fleet", password_file });
    const fates = agent.produce(1);
    await vi.waitFor(() => expect(agent.codes()).toContain("NATS_REFUSED"), patience);
    keep("changing", "new");
    expect(await fates).toEqual(["committed"]);
  });

  it.each([
    ["password_file", { user: "u", password_file: join(folder.path, "nowhere") }],
    ["token_file", { token_file: keep("empty", "") }],
    ["nkey_file", { nkey_file: keep("no-seed", "SUsecretthatisnone") }],
    ["creds_file", { creds_file: keep("no-creds", "secretthatisnone") }],
  ])("does not start with a %s that can't be one, and does not show it", async (key, nats) => {
    const started = openCollector({ servers: ["127.0.0.1:1"], ...nats });
    await expect(started).rejects.toMatchObject({ code: "NATS_SECRET_INVALID", message: expect.stringContaining(`nats.${key}`) });
    await expect(started).rejects.toMatchObject({ message: expect.not.stringContaining("secretthatisnone") });
  });

  it("by TLS, with a client certificate, and not for a server that may be another", async () => {
    const authority = createAuthority(folder.path, "nats-authority");
    const stranger = createAuthority(folder.path, "nats-stranger");
    const files = authority.issue("nats", "IP:127.0.0.1");
    const client = authority.issue("h1");
    const lines = `cert_file: "${files.cert_file}", key_file: "${files.key_file}", ca_file: "${authority.ca_file}"`;
    const server = await startServer(`tls { ${lines}, verify: true }`);
    const tls = { ca_file: authority.ca_file, ...client };
    const collector = await openCollector({ servers: [server.url], tls });
    const agent = await openAgent("h1", { servers: [server.url.replace("nats:", "tls:")], tls });
    expect(await agent.produce(3)).toEqual(Array(3).fill("committed"));
    expect(collector.codes()).toEqual([]);
    const refused = {
      "self-signed certificate|unable to get issuer|unable to verify": {
        servers: [server.url],
        tls: { ca_file: stranger.ca_file, ...client },
      },
      "does not match certificate": { servers: [server.url.replace("127.0.0.1", "localhost")], tls },
      "certificate required|connection was closed|ECONNRESET|socket|EPIPE": {
        servers: [server.url],
        tls: { ca_file: authority.ca_file },
      },
    };
    for (const [why, nats] of Object.entries(refused)) {
      const other = await openAgent("h2", nats);
      await vi.waitFor(() => expect(other.codes(), why).toContain("NATS_UNREACHABLE"), patience);
      expect(
        other.events.some(({ event }) => event === "nats_connected"),
        why,
      ).toBe(false);
    }
  });

  it("never gives a password to a server that has no TLS, when TLS is configured", async () => {
    const server = await startServer('authorization { user: fleet, password: "pw" }');
    const nats = { servers: [server.url.replace("nats:", "tls:")], user: "fleet", password_file: keep("pw", "pw") };
    const agent = await openAgent("h1", nats);
    await vi.waitFor(
      () => expect(agent.events).toContainEqual(expect.objectContaining({ msg: expect.stringContaining("tls") })),
      patience,
    );
    expect(agent.events.some(({ event }) => event === "nats_connected")).toBe(false);
  });

  it("lets a host publish as itself alone, with the permissions that docs/nats.md shows", async () => {
    const docs = readFileSync(new URL("../../docs/nats.md", import.meta.url), "utf8");
    const block = /```conf\n([\s\S]*?)```/.exec(docs)?.[1] ?? "";
    const lines = block.split("\n").filter((line) => !/^(listen|jetstream|tls)\b/.test(line));
    const config = lines.join("\n").replace("$COLLECTOR_PASSWORD", '"c"').replace("$GPU_01_PASSWORD", '"g"');
    const server = await startServer(config);
    const collector = await openCollector({ servers: [server.url], user: "collector", password_file: keep("c", "c") });
    const login = { servers: [server.url], user: "gpu-01", password_file: keep("g", "g") };
    const agent = await openAgent("gpu-01", login);
    expect(await agent.produce(20)).toEqual(Array(20).fill("committed"));
    await vi.waitFor(() => expect(agent.events).toContainEqual(expect.objectContaining({ event: "link_up" })), patience);
    await vi.waitFor(() => expect(agent.events).toContainEqual(expect.objectContaining({ event: "position" })), patience);
    expect([...collector.codes(), ...agent.codes()].filter((code) => code !== "NATS_STREAM_MISSING")).toEqual([]);
    const impostor = await openAgent("gpu-02", login);
    void impostor.produce(1);
    const denial = `publish to ${natsSubject("batch", "gpu-02")}`;
    await vi.waitFor(() => {
      expect(impostor.events).toContainEqual(
        expect.objectContaining({ code: "NATS_DENIED", msg: expect.stringContaining(denial) }),
      );
    }, patience);
    expect(impostor.delivery.counts.acked).toBe(0);
  });

  it("refuses a server whose messages are smaller than batches, until it is mended", async () => {
    let limit = "max_payload: 64KB";
    const server = await startNats({ config: () => limit });
    cleanups.push(server.remove);
    const agent = await openAgent("h1", { servers: [server.url] });
    const fates = agent.produce(1);
    await vi.waitFor(() => expect(agent.codes()).toContain("NATS_PAYLOAD_LIMIT"), patience);
    limit = "";
    await server.kill();
    await server.restart();
    await openCollector({ servers: [server.url] });
    expect(await fates).toEqual(["committed"]);
  });
});
