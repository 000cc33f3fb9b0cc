import { usualSchedule } from "@fleetmark/agent/config";
import { listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { planChildren } from "./commands/up/children.js";
import { readConfig } from "./config/config-flags.js";
import { configSchemas } from "./config/config-schemas.js";
import { commandEntries } from "./registry.js";

/** Keys with values that differ from their defaults and go together; every key stands in one of them at least. */
const groups: readonly Readonly<Record<string, string>>[] = [
  { host: "h9", name: "c9", data_dir: "/tmp/d9", "spool.dir": "/tmp/s9", "log.level": "error", "log.format": "text" },
  { "grpc.listen": "127.0.0.1:4321", "http.listen": "127.0.0.1:4322", "collector.address": "127.0.0.1:4323" },
  {
    "grpc.listen": "0.0.0.0:4321",
    "grpc.tls.ca_file": "/ca",
    "grpc.tls.cert_file": "/cert",
    "grpc.tls.key_file": "/key",
    "alerts.alertmanager": "http://127.0.0.1:9093",
    "alerts.token_file": "/alerts-token",
    "alerts.insecure": "true",
    "http.tls.cert_file": "/cert",
    "http.tls.key_file": "/key",
    "collector.tls.ca_file": "/ca",
    "collector.tls.cert_file": "/agent-cert",
    "collector.tls.key_file": "/agent-key",
  },
  {
    link: "nats",
    "nats.servers": "tls://a.example:4222,tls://b.example",
    "nats.tls.ca_file": "/nats-ca",
    "nats.tls.cert_file": "/nats-cert",
    "nats.tls.key_file": "/nats-key",
    "nats.user": "u",
    "nats.password_file": "/password",
    "nats.stream.replicas": "3",
    "nats.stream.max_bytes": "1GiB",
    "nats.stream.max_batches_per_host": "100",
    "nats.stream.max_age": "3d",
    "nats.stream.storage": "memory",
  },
  { "nats.servers": "nats://a.example:4222", "nats.insecure": "true", "nats.token_file": "/token" },
  { "nats.nkey_file": "/nkey" },
  { "nats.creds_file": "/creds" },
  { suites: "/suites.yaml,/more.yaml" },
  { "telemetry.interval": "3s", "telemetry.probes": "cpu,mem" },
  Object.fromEntries(
    ["cpu", "mem", "disk", "diskio", "net", "system", "pressure", "nvidia_smi"].map((probe, i) => [
      `telemetry.intervals.${probe}`,
      `${i + 2}m`,
    ]),
  ),
  { "judge.false_alarms_per_year": "2" },
  { "http.allowed_hosts": "a.example,b.example", "http.probes.listen": "0.0.0.0:9421" },
  {
    "run.schedule": '[{"suite":"quick","cron":"0 5 * * *","time_zone":"Europe/Berlin","missed":"skip"}]',
    "run.blackouts": '[{"cron":"0 6 * * MON-FRI","lasts":"12h"}]',
    "run.at_most": "30m",
    "run.idle.patience": "2h",
    "run.idle.settle": "1m",
    "run.idle.other_cpu_cores": "1.5",
    "run.idle.cpu_pressure_percent": "30",
    "run.idle.memory_pressure_percent": "7",
    "run.idle.available_memory_percent": "20",
    "run.idle.gpu_utilization_percent": "5",
    "run.idle.unless_files": "/run/lock/a,/run/lock/b",
    "run.idle.unless_cgroups": "kubepods*/pod*",
    "run.idle.command": "/usr/bin/is-free,--quiet",
  },
  { campaigns: '[{"name":"weekly","suite":"quick","cron":"0 3 * * SUN","hw_class":"amd-*","at_most_percent":10}]' },
  {
    "alerts.sinks":
      '[{"kind":"alertmanager","url":"http://127.0.0.1:9093"},{"kind":"mail","server":"smtp://127.0.0.1:25","from":"f@example.com","to":["o@example.com"]}]',
    "alerts.every": "5s",
    "alerts.wait": "1m",
    "alerts.update": "10m",
    "alerts.repeat": "8h",
    "alerts.ignore": "Disk*,Clock*",
    "alerts.confirm": "false",
    "alerts.runbooks": "https://example.com/runbooks",
  },
  { kpis: '[{"id":"environment_step_time_ms","target":0.01,"alert":0.1,"for":"10m","hosts":"edge-*"}]' },
  { "commands.allow": "start_run,cancel_run", "commands.suites": "quick,own", "commands.at_once": "true" },
  { "spool.max_bytes": "1MiB", "spool.max_age": "2d", "spool.resend_rate": "8KiB", "spool.flush_interval": "2s" },
  {
    "limits.max_batch_bytes": "1MiB",
    "limits.time_ahead": "2h",
    "limits.time_behind": "10d",
    "limits.max_series_per_batch": "9",
    "limits.max_samples_per_batch": "9",
    "limits.new_series_per_host_per_hour": "8",
    "limits.max_series_per_host": "9",
    "limits.max_hosts": "7",
    "limits.bytes_per_second_per_host": "1MiB",
    "limits.connections_per_address": "9",
    "limits.quarantine_bytes": "1MiB",
  },
  {
    "store.kind": "influxdb",
    "store.url": "http://influx.example:8086",
    "store.insecure": "true",
    "store.database": "db",
    "store.org": "org",
    "store.token_file": "/store-token",
    "store.timeout": "3s",
    "store.retention.raw": "5d",
    "store.retention.hourly": "6d",
    "store.retention.records": "7d",
  },
];

type Values = Readonly<Record<string, string>>;

const schemas = { collector: configSchemas.collector as z.ZodObject, agent: configSchemas.agent as z.ZodObject };

const select = (schema: z.ZodObject, values: Values): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter(([path]) => listConfigKeys(schema).some((key) => key.path === path)));

const writeArgs = (values: Values): string[] =>
  Object.entries(values).flatMap(([path, value]) => [`--${path.replaceAll(/[._]/g, "-")}`, value]);

async function buildCommand(path: readonly string[]): Promise<Command> {
  const [name = "", ...below] = path;
  const command = new Command(name).exitOverride();
  const entry = commandEntries.find((each) => each.name === name);
  (await entry?.load())?.(command);
  const found = below.reduce<Command | undefined>((at, each) => at?.commands.find((child) => child.name() === each), command);
  if (found === undefined) throw new Error(`no command ${path.join(" ")}`);
  // Its work is not what is tried here.
  return found.exitOverride().action(() => {});
}

/** Reads the configuration that a command has from its arguments. */
async function readFrom(name: "collector" | "agent", args: readonly string[]): Promise<unknown> {
  const command = await buildCommand([name]);
  command.parse(args, { from: "user" });
  return readConfig(command, schemas[name]);
}

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("FLEETMARK_")) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

describe("configuration flags", () => {
  it("are all tried here", () => {
    const keys = Object.values(schemas).flatMap((schema) => listConfigKeys(schema).map(({ path }) => path));
    const tried = new Set(groups.flatMap((group) => Object.keys(group)));
    expect(keys.filter((path) => !tried.has(path))).toEqual(["run.on_start"]);
  });

  it.each(groups)("reach the daemon that has them: %o", async (group) => {
    for (const name of ["collector", "agent"] as const) {
      const own = select(schemas[name], group);
      expect(await readFrom(name, writeArgs(own))).toEqual(loadConfig(schemas[name], { environment: {}, flags: own }));
    }
  });

  it.each(groups)("reach both daemons through `up`: %o", async (group) => {
    const up = await buildCommand(["up"]);
    up.parse(writeArgs(group), { from: "user" });
    const plan = planChildren(up, {}, {});
    const facts = { grpc: plan.collector.grpc.listen, http: plan.collector.http.listen };
    const expectedCollector = loadConfig(schemas.collector, { environment: {}, flags: select(schemas.collector, group) });
    expect(await readFrom("collector", plan.chooseCollectorArgs().slice(1))).toEqual(expectedCollector);
    const presets = {
      "collector.address": (group["grpc.listen"] ?? "127.0.0.1:7420").replace("0.0.0.0", "127.0.0.1"),
      "spool.dir": `${group.data_dir ?? "fleetmark-data"}/spool`,
      "run.schedule": JSON.stringify(usualSchedule),
    };
    const flags = { ...presets, ...select(schemas.agent, group), "run.on_start": "quick" };
    const expectedAgent = loadConfig(schemas.agent, { environment: {}, flags });
    expect(await readFrom("agent", plan.chooseAgentArgs(facts, "quick").slice(1))).toEqual(expectedAgent);
  });

  it.each([
    ["store", "check"],
    ["store", "setup"],
    ["store", "retain"],
    ["store", "backup"],
    ["store", "restore"],
    ["store", "export"],
    ["store", "import"],
  ])("reach %s %s", async (...path) => {
    for (const group of groups) {
      const own = select(schemas.collector, group);
      const command = await buildCommand(path);
      const file = ["export", "import", "backup", "restore"].includes(command.name()) ? ["file.lp"] : [];
      command.parse([...file, ...writeArgs(own)], { from: "user" });
      expect(readConfig(command, schemas.collector)).toEqual(loadConfig(schemas.collector, { environment: {}, flags: own }));
    }
  });

  it("of `up` leave to the environment what it gives", async () => {
    const environment = { FLEETMARK_SPOOL_DIR: "/tmp/elsewhere", FLEETMARK_COLLECTOR_ADDRESS: "127.0.0.1:1" };
    const up = await buildCommand(["up"]);
    up.parse([], { from: "user" });
    const plan = planChildren(up, {}, environment);
    const facts = { grpc: plan.collector.grpc.listen, http: plan.collector.http.listen };
    const schedule = `--run-schedule=${JSON.stringify(usualSchedule)}`;
    expect(plan.chooseAgentArgs(facts, "none").toSorted()).toEqual(["--run-on-start=none", schedule, "agent"]);
    const given = planChildren(up, {}, { ...environment, FLEETMARK_RUN_SCHEDULE: "" });
    expect(given.chooseAgentArgs(facts, "none")).toEqual(["agent", "--run-on-start=none"]);
    expect(given.agent.run.schedule).toEqual([]);
    // What ends with its suite starts no other.
    expect(planChildren(up, { once: true }, {}).agent.run.schedule).toEqual([]);
  });

  it("of `up` are refused where its agent could never attach", async () => {
    const tls = { "grpc.tls.cert_file": "/cert", "grpc.tls.key_file": "/key" };
    const plan = async (values: Values) => {
      const up = await buildCommand(["up"]);
      up.parse(writeArgs(values), { from: "user" });
      return planChildren(up, {}, {});
    };
    await expect(plan(tls)).rejects.toMatchObject({
      code: "TLS_NEEDED",
      message: expect.stringMatching(/--collector-tls-ca-file$/),
    });
    const mutual = { ...tls, "grpc.tls.ca_file": "/ca", "collector.tls.ca_file": "/ca" };
    await expect(plan(mutual)).rejects.toMatchObject({ message: expect.stringMatching(/--collector-tls-key-file$/) });
  });
});

/** Every command that does something, with the arguments that it can't do without. */
const commands: readonly (readonly [path: readonly string[], args: readonly string[]])[] = [
  [["up"], []],
  [["bench"], []],
  [["results"], []],
  [["kpis"], []],
  [["hosts"], []],
  [["runs"], []],
  [["history"], ["b"]],
  [["compare"], ["a", "b"]],
  [["doctor"], []],
  [["agent"], []],
  [["collector"], []],
  [["store", "check"], []],
  [["store", "setup"], []],
  [["store", "retain"], []],
  [["store", "backup"], ["b"]],
  [["store", "restore"], ["b"]],
  [["store", "export"], ["f.lp"]],
  [["store", "import"], ["f.lp"]],
  [["fleet", "status"], []],
  [["fleet", "run"], []],
  [["fleet", "cancel"], ["c1"]],
  [
    ["token", "create"],
    ["--name", "ci"],
  ],
  [["verdicts"], []],
  [["mark-verdict"], ["h1", "false", "--reason", "r"]],
  [["alert", "list"], []],
  [
    ["alert", "silence"],
    ["host=h1", "--for", "2h", "--reason", "r"],
  ],
  [["alert", "silences"], []],
  [["alert", "unsilence"], ["s1"]],
  [["alert", "test"], []],
  [["trends"], []],
  [["qualify"], []],
  [["fleet", "slow"], []],
  [["baseline", "list"], []],
  [
    ["baseline", "pin"],
    ["h1", "--reason", "r"],
  ],
  [
    ["baseline", "unpin"],
    ["h1", "--reason", "r"],
  ],
  [
    ["baseline", "accept"],
    ["h1", "--reason", "r"],
  ],
  [["baseline", "export"], ["h1"]],
  [
    ["baseline", "import"],
    ["h1", "f", "--reason", "r"],
  ],
  [["detect"], []],
  [
    ["dataset", "make"],
    ["--env", "HVACControl-v0"],
  ],
  [["token", "list"], []],
  [["token", "revoke"], ["ci"]],
  [["quarantine", "list"], []],
  [["quarantine", "show"], ["1-000001"]],
  [["quarantine", "replay"], []],
  [["quarantine", "drop"], []],
  [
    ["config", "check"],
    ["f", "--for", "agent"],
  ],
  [
    ["config", "schema"],
    ["--for", "agent"],
  ],
];

const samples: Readonly<Record<string, string>> = {
  "--device": "gpu7",
  "--env": "PowerGrid-v0",
  "--collector": "127.0.0.1:1",
  "--code": "TIME_AHEAD",
  "--last": "3",
  "--at-most": "10%",
  "--for": "2h",
  "--stagger": "30s",
  "--ttl": "2m",
  "--patience": "2h",
  "--role": "read",
  "--expires": "90d",
  "--stale-after": "3h",
  "--budget": "5m",
  "--from": "-1h",
  "--to": "now",
};

describe("flags in the help", () => {
  it("are of every command that there is", () => {
    expect([...new Set(commands.map(([[name]]) => name))].sort()).toEqual(commandEntries.map(({ name }) => name).sort());
  });

  it.each(commands)("of %j are parsed, each of them", async (path, args) => {
    const shown = (await buildCommand(path)).options.filter(({ hidden }) => !hidden);
    for (const { long, required, optional, argChoices } of shown) {
      const command = await buildCommand(path);
      const value = required || optional ? [argChoices?.at(-1) ?? samples[long ?? ""] ?? "7"] : [];
      command.parse([...args, long ?? "", ...value], { from: "user" });
      const attribute = command.options.find((option) => option.long === long)?.attributeName() ?? "";
      expect(command.getOptionValueSource(attribute), long).toBe("cli");
      expect(command.helpInformation()).toContain(long);
    }
  });
});
