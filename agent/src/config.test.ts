import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { expect, test } from "vitest";
import { makeTestFolder } from "../test/folder.js";
import { agentConfigSchema } from "./config.js";
import { probeNames } from "./probes/registry.js";

function loadFile(config: object) {
  const { path, remove } = makeTestFolder();
  try {
    // YAML reads JSON.
    writeFileSync(join(path, "agent.yaml"), JSON.stringify(config));
    return loadConfig(agentConfigSchema, { file: join(path, "agent.yaml"), environment: {}, flags: {} });
  } finally {
    remove();
  }
}

const load = (flags: Record<string, string>) => loadConfig(agentConfigSchema, { environment: {}, flags });

test("needs no file", () => {
  expect(load({})).toEqual({
    host: hostname(),
    link: "grpc",
    collector: { address: { host: "127.0.0.1", port: 7420 }, tls: {} },
    nats: { servers: [], tls: {}, user: "", insecure: false },
    telemetry: { interval: 10, intervals: {}, probes: probeNames },
    run: { on_start: "none" },
    suites: [],
    spool: {
      dir: "./fleetmark-data/spool",
      max_bytes: 256 * 2 ** 20,
      max_age: 30 * 86_400,
      resend_rate: 256 * 1024,
      flush_interval: 1,
    },
    log: { level: "info", format: "auto" },
  });
});

test("takes one probe or several", () => {
  expect(load({ "telemetry.probes": "cpu" }).telemetry.probes).toEqual(["cpu"]);
  expect(load({ "telemetry.probes": "cpu,mem" }).telemetry.probes).toEqual(["cpu", "mem"]);
});

test("takes an interval for one probe", () => {
  expect(load({ "telemetry.intervals.disk": "1m" }).telemetry.intervals).toEqual({ disk: 60 });
  expect(loadFile({ telemetry: { intervals: { disk: "1m", cpu: "1s" } } }).telemetry.intervals).toEqual({ disk: 60, cpu: 1 });
});

test.each([
  [
    { telemetry: { intervals: { disks: "1m" } } },
    "unknown key telemetry.intervals.disks; did you mean telemetry.intervals.disk?",
  ],
  [{ telemetry: { probes: ["cpu", "disc"] } }, 'there is no probe "disc"; did you mean disk?'],
  [{ telemetry: { probes: ["everything"] } }, 'there is no probe "everything"; the probes are cpu, '],
])("names the probe that was meant by %j", (given, message) => expect(() => loadFile(given)).toThrow(message));

test.each([
  ["host", "a\u0000b"],
  ["collector.address", "nowhere"],
  ["telemetry.interval", "1ms"],
  ["telemetry.intervals.disk", "1ms"],
  ["telemetry.probes", "cpu,gpus"],
  ["spool.dir", ""],
  ["spool.max_bytes", "1KiB"],
  ["spool.max_age", "1s"],
  ["spool.resend_rate", "1"],
  ["spool.flush_interval", "never"],
  ["log.level", "loud"],
  ["log.format", "xml"],
])("refuses %s = %j by name", (path, value) => {
  expect(() => load({ [path]: value })).toThrow(path);
});

test("every key has a description and a default that is the same on every host", () => {
  for (const key of listConfigKeys(agentConfigSchema)) {
    expect(key.description).not.toBe("");
    // A file is named where it is wanted, and a probe has the interval of all but where it is given its own.
    if (!key.path.endsWith("_file") && !key.path.startsWith("telemetry.intervals.")) expect(key.default).toBeDefined();
    expect(key.default ?? "").not.toContain(hostname());
  }
});
