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
    run: {
      on_start: "none",
      schedule: [],
      blackouts: [],
      at_most: 4 * 3600,
      idle: {
        patience: 6 * 3600,
        settle: 10,
        other_cpu_cores: 0.5,
        cpu_pressure_percent: 20,
        memory_pressure_percent: 5,
        available_memory_percent: 10,
        gpu_utilization_percent: 10,
        unless_files: [],
        unless_cgroups: ["system.slice/*slurmstepd.scope/job_*", "*/slurm*/uid_*/job_*", "slurm*/uid_*/job_*"],
        command: [],
      },
    },
    commands: {
      allow: ["start_run", "cancel_run", "tell_inventory", "set_log_level"],
      suites: ["*"],
      at_once: false,
    },
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

test("takes schedules from a file, and as JSON from elsewhere", () => {
  const daily = { suite: "quick", cron: "30 2 * * *" };
  const whole = { ...daily, name: "quick", timeZone: undefined, jitter: 1800, missed: "once" };
  expect(loadFile({ run: { schedule: [daily] } }).run.schedule).toEqual([whole]);
  expect(load({ "run.schedule": JSON.stringify([daily]) }).run.schedule).toEqual([whole]);
  const weekly = { name: "weekly", suite: "full", cron: "@weekly", time_zone: "Europe/Berlin", jitter: "2h", missed: "skip" };
  expect(load({ "run.schedule": JSON.stringify([daily, weekly]) }).run.schedule[1]).toEqual({
    name: "weekly",
    suite: "full",
    cron: "@weekly",
    timeZone: "Europe/Berlin",
    jitter: 7200,
    missed: "skip",
  });
  expect(load({ "run.blackouts": '[{"cron":"0 6 * * MON-FRI","lasts":"12h"}]' }).run.blackouts).toEqual([
    { cron: "0 6 * * MON-FRI", timeZone: undefined, lasts: 43_200 },
  ]);
});

test.each([
  ['[{"suite":"quick"}]', "run.schedule.0.cron"],
  ['[{"suite":"quick","cron":"0 0 30 2 *"}]', "never comes"],
  ['[{"suite":"quick","cron":"* * * * * *"}]', "more often than once a minute"],
  ['[{"suite":"quick","cron":"0 3 * * *","time_zone":"Mars/Base"}]', 'no time zone "Mars/Base"'],
  ['[{"suite":"quick","cron":"0 3 * * *"},{"suite":"quick","cron":"0 4 * * *"}]', 'two schedules are called "quick"'],
  ['[{"suite":"quick","cron":"0 3 * * *","jitter":"2d"}]', "must be at most 1d"],
  ['[{"suite":"quick","cron":"0 3 * * *","at":"3"}]', "at"],
  ["quick 0 3 * * *", "run.schedule"],
])("refuses the schedule %s", (value, message) => {
  expect(() => load({ "run.schedule": value })).toThrow(message);
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
