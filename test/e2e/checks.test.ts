import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "@fleetmark/shared/config/config";
import { formatAddress } from "@fleetmark/shared/model/units";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Authority, createAuthority } from "../testbed/certificates.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";

const folder = makeFolder();
let authority: Authority;
let collector: Program & { facts: { grpc: Address; http: Address } };
let address: string;

beforeAll(async () => {
  authority = createAuthority(folder.path);
  const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  collector = await startDaemon(["collector", "--data-dir", join(folder.path, "data"), ...listen]);
  address = formatAddress(collector.facts.grpc);
});
afterAll(async () => {
  collector?.process.kill("SIGTERM");
  await collector?.ended;
  folder.remove();
});

function write(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

interface Finding {
  readonly key: string;
  readonly status: string;
  readonly detail: string;
  readonly remedy?: string;
}

const spool = () => `spool: { dir: "${join(folder.path, "spool")}" }\n`;
const writeSuites = (): string =>
  write("suites.yaml", "workloads: [{ name: mine, command: ['true'] }]\nsuites: [{ name: own, benchmarks: [{ name: mine }] }]\n");

describe("fleetmark config check", () => {
  async function check(kind: string, file: string): Promise<{ code: number | null; checks: Finding[] }> {
    const ended = await runProgram(["config", "check", "--for", kind, file, "--json"]);
    return { code: ended.code, checks: JSON.parse(ended.stdout).checks };
  }

  it("finds files, certificates, suites and ports as they should be", async () => {
    const { cert_file, key_file } = authority.issue("h1");
    writeSuites();
    const tls = `tls: { ca_file: "${authority.ca_file}", cert_file: "${cert_file}", key_file: "${key_file}" }`;
    const agent = write("good.yaml", `collector: { ${tls} }\nsuites: [suites.yaml]\nrun: { on_start: own }\n`);
    expect(await check("agent", agent)).toEqual({
      code: 0,
      checks: ["collector.tls.ca_file", "collector.tls.cert_file", "suites[0]", "run.on_start"].map((key) =>
        expect.objectContaining({ key, status: "ok" }),
      ),
    });
    const free = write("free.yaml", 'grpc: { listen: "127.0.0.1:0" }\nhttp: { listen: "127.0.0.1:0" }\n');
    expect(await check("collector", free)).toMatchObject({ code: 0, checks: [{ key: "grpc.listen" }, { key: "http.listen" }] });
  });

  it("names each key whose file, certificate or suite is wrong, and what to do", async () => {
    const [one, other] = [authority.issue("h2"), authority.issue("h3")];
    const tls = `tls: { ca_file: /nowhere/ca.pem, cert_file: "${one.cert_file}", key_file: "${other.key_file}" }`;
    const file = write("wrong.yaml", `collector: { ${tls} }\nsuites: [none.yaml]\nrun: { on_start: own }\n`);
    const { code, checks } = await check("agent", file);
    expect(code).toBe(2);
    expect(checks.map(({ key, status }) => [key, status])).toEqual([
      ["collector.tls.ca_file", "problem"],
      ["collector.tls.cert_file", "problem"],
      ["suites[0]", "problem"],
    ]);
    expect(checks[1]?.detail).toMatch(/is not that of the first certificate/);
    expect(checks.every(({ remedy }) => remedy !== undefined)).toBe(true);
    const unknown = write("unknown.yaml", "run: { on_start: enormous }\n");
    expect(await check("agent", unknown)).toMatchObject({ code: 2, checks: [{ key: "run.on_start", status: "problem" }] });
    const token = write("token.yaml", "store: { kind: influxdb, url: 'http://127.0.0.1:1', token_file: /nowhere/token }\n");
    const found = await check("collector", token);
    expect(found.checks).toContainEqual(expect.objectContaining({ key: "store.token_file", status: "problem" }));
  });

  it("names a port that is taken, and prints the configuration all the same", async () => {
    const file = write("taken.yaml", `grpc: { listen: "${address}" }\nhttp: { listen: "127.0.0.1:0" }\n`);
    const ended = await runProgram(["config", "check", "--for", "collector", file]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toMatch(/problem +grpc\.listen +127\.0\.0\.1:\d+: another process listens there/);
    expect(JSON.parse(ended.stdout)).toMatchObject({ grpc: { listen: { host: "127.0.0.1" } } });
  });
});

describe("fleetmark doctor --config", () => {
  async function examine(...args: string[]): Promise<{ code: number | null; checks: Finding[]; stderr: string }> {
    const ended = await runProgram(["doctor", "--json", "--config", ...args]);
    const { checks = [] } = ended.stdout === "" ? {} : JSON.parse(ended.stdout);
    return { code: ended.code, checks, stderr: ended.stderr };
  }

  it("looks at what an agent needs: its spool, its disk, its collector and its clock", async () => {
    const found = await examine(write("agent.yaml", `host: h1\ncollector: { address: "${address}" }\n${spool()}`));
    expect(found, found.stderr).toMatchObject({ code: 0 });
    expect(found.checks.map(({ key, status }) => [key, status])).toEqual([
      ["spool.dir", "ok"],
      ["spool.dir", "ok"],
      ["collector.address", "ok"],
      ["collector.address", "ok"],
    ]);
    expect(found.checks[2]?.detail).toMatch(/collector \d+\.\d+\.\d+ takes host h1/);
    expect(found.checks[3]?.detail).toMatch(/clock is \d+\.\d ms (ahead of|behind) the collector's/);
  });

  it("says what is wrong with it, and ends with 3", async () => {
    const file = write("lost.yaml", 'collector: { address: "127.0.0.1:9" }\nspool: { dir: /proc/x }\n');
    const found = await examine(file);
    expect(found.code).toBe(3);
    expect(found.checks).toMatchObject([
      { key: "spool.dir", status: "problem", detail: expect.stringMatching(/\/proc\/x/) },
      { key: "collector.address", status: "problem", code: "COLLECTOR_UNREACHABLE", remedy: expect.any(String) },
    ]);
    const shown = await runProgram(["doctor", "--config", file]);
    expect(shown.stdout).toMatch(/tensor runtimes[\s\S]*lost\.yaml\n +problem +spool\.dir/);
  });

  it("looks at what a collector needs: its folder, its disk, its ports and its store", async () => {
    const listen = 'grpc: { listen: "127.0.0.1:0" }\nhttp: { listen: "127.0.0.1:0" }\n';
    const fresh = await examine(write("fresh.yaml", `${listen}data_dir: "${join(folder.path, "fresh")}"\n`));
    expect(fresh).toMatchObject({ code: 0, checks: [{ key: "grpc.listen" }, { key: "http.listen" }, { key: "data_dir" }, {}] });
    const server = await examine(write("server.yaml", `${listen}store: { kind: influxdb, url: "http://127.0.0.1:9" }\n`));
    expect(server.code).toBe(3);
    expect(server.checks.at(-1)).toMatchObject({
      key: "store.url",
      status: "problem",
      detail: expect.stringMatching(/^open: STORE_FAILED/),
    });
    const held = `data_dir: "${join(folder.path, "data")}"\ngrpc: { listen: "${address}" }\n`;
    const http = `http: { listen: "${formatAddress(collector.facts.http)}" }\n`;
    const running = await examine(write("running.yaml", held + http));
    expect(running).toMatchObject({ code: 0 });
    expect(running.checks.map(({ status }) => status)).toEqual(["warning", "warning", "ok", "ok", "warning"]);
  });

  it("asks whose it is where its keys don't tell, and names an unknown one", async () => {
    const vague = await examine(write("vague.yaml", "log: { level: info }\n"));
    expect([vague.code, vague.stderr]).toEqual([2, expect.stringMatching(/fits an agent and a collector: say which with --for/)]);
    expect((await examine(write("vague.yaml", `log: { level: info }\n${spool()}`))).checks.length).toBeGreaterThan(0);
    const wrong = await examine(write("slip.yaml", "telemetri: {}\nspool: {}\n"));
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/unknown key telemetri/)]);
  });
});

it("fleetmark bench refuses a folder that can't be made, at once", async () => {
  for (const args of [
    ["--output-dir", "/proc/x"],
    ["--output-dir", folder.path, "--save-baseline", "--baseline", "/proc/x/baseline.json"],
    ["--output-dir", folder.path, "--summary", "/proc/x/summary.md"],
  ]) {
    const ended = await runProgram(["bench", "--quick", ...args]);
    expect([ended.code, ended.stderr]).toEqual([3, expect.stringMatching(/DATA_UNWRITABLE: \/proc\/x: ENOENT/)]);
    expect(ended.stderr).not.toMatch(/benchmark 1 of/);
  }
  const up = await runProgram(["up", "--once", "--data", "/proc/x"]);
  expect([up.code, up.stderr]).toEqual([3, expect.stringMatching(/DATA_UNWRITABLE/)]);
  const agent = await runProgram(["agent", "--spool-dir", "/proc/x"]);
  expect([agent.code, agent.stderr]).toEqual([3, expect.stringMatching(/SPOOL_UNWRITABLE/)]);
});
