import { hostname } from "node:os";
import { listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { expect, test } from "vitest";
import { agentConfigSchema } from "./config.js";
import { probeNames } from "./probes/registry.js";

const load = (flags: Record<string, string>) => loadConfig(agentConfigSchema, { environment: {}, flags });

test("needs no file", () => {
  expect(load({})).toEqual({
    host: hostname(),
    link: "grpc",
    collector: { address: { host: "127.0.0.1", port: 7420 }, tls: {} },
    nats: { servers: [], tls: {}, user: "", insecure: false },
    telemetry: { interval: 10, probes: probeNames },
    run: { on_start: "none" },
    suites: [],
    spool: {
      dir: "./fleetmark-data/spool",
      max_bytes: 256 * 2 ** 20,
      max_age: 30 * 86_400,
      resend_rate: 256 * 1024,
      flush_interval: 1,
    },
    log: { level: "info" },
  });
});

test("takes one probe or several", () => {
  expect(load({ "telemetry.probes": "cpu" }).telemetry.probes).toEqual(["cpu"]);
  expect(load({ "telemetry.probes": "cpu,mem" }).telemetry.probes).toEqual(["cpu", "mem"]);
});

test.each([
  ["host", "a\u0000b"],
  ["collector.address", "nowhere"],
  ["telemetry.interval", "1ms"],
  ["telemetry.probes", "cpu,gpus"],
  ["spool.dir", ""],
  ["spool.max_bytes", "1KiB"],
  ["spool.max_age", "1s"],
  ["spool.resend_rate", "1"],
  ["spool.flush_interval", "never"],
  ["log.level", "loud"],
])("refuses %s = %j by name", (path, value) => {
  expect(() => load({ [path]: value })).toThrow(path);
});

test("every key has a description and a default that is the same on every host", () => {
  for (const key of listConfigKeys(agentConfigSchema)) {
    expect(key.description).not.toBe("");
    // A file is named where it is wanted.
    if (!key.path.endsWith("_file")) expect(key.default).toBeDefined();
    expect(key.default ?? "").not.toContain(hostname());
  }
});
