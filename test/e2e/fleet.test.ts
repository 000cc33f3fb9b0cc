import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { campaignAnswer } from "@fleetmark/shared/api/answers";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { type Ended, makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";

type Campaign = z.infer<typeof campaignAnswer>;

const folder = makeFolder();
const data = join(folder.path, "data");
let collector: Program & { facts: { grpc: Address; http: Address } };
let agent: Program;
let http = "";

/** A suite whose only benchmark is a program that says at once how fast it was. */
const suites = `
suites:
  - name: short
    description: one step
    benchmarks:
      - { name: environment_step, params: { env: ChemicalReactor-v0 } }
`;

async function startAgent(): Promise<Program> {
  const file = join(folder.path, "suites.yaml");
  writeFileSync(file, suites);
  return startDaemon([
    ...["agent", "--host", "gpu-1", "--collector-address", formatAddress(collector.facts.grpc)],
    ...[
      "--spool-dir",
      join(folder.path, "spool"),
      "--suites",
      file,
      "--commands-suites",
      "short,none",
      "--run-idle-settle",
      "0s",
    ],
    // Other tests' processes would keep this host from ever being free.
    ...[
      "--run-idle-other-cpu-cores",
      "1000",
      "--run-idle-cpu-pressure-percent",
      "100",
      "--run-idle-memory-pressure-percent",
      "100",
    ],
  ]);
}

beforeAll(async () => {
  collector = await startDaemon([
    "collector",
    "--data-dir",
    data,
    "--grpc-listen",
    "127.0.0.1:0",
    "--http-listen",
    "127.0.0.1:0",
  ]);
  http = formatAddress(collector.facts.http);
  agent = await startAgent();
}, 60_000);
afterAll(async () => {
  for (const program of [agent, collector]) {
    program?.process.kill("SIGTERM");
    await program?.ended;
  }
  folder.remove();
});

const fleet = (args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> =>
  runProgram(["fleet", ...args, "--collector", http], { environment });

const asOwner = ["--data", data];

describe("fleetmark fleet", () => {
  it("runs a suite where the host allows it, waits for its end, and shows it", async () => {
    const ended = await fleet(["run", "--suite", "short", "--hosts", "gpu-*", "--wait", "--json", ...asOwner]);
    expect(ended.code, ended.stderr).toBe(0);
    const campaign = JSON.parse(ended.stdout) as Campaign;
    expect(campaign).toMatchObject({ state: "ended", total: 1, counts: { finished: 1 }, by: "owner" });
    expect(campaign.on_hosts).toMatchObject([{ host: "gpu-1", state: "finished" }]);
    const status = await fleet(["status", "--json"]);
    const { hosts } = JSON.parse(status.stdout);
    expect(hosts).toMatchObject([{ host: "gpu-1", attached: true, last_run: { suite: "short", trigger: "command" } }]);
    const table = await fleet(["status"]);
    expect(table.stdout).toMatch(/gpu-1 +here +short /);
  }, 120_000);

  it("ends with 3 and the reason where a host refuses", async () => {
    const ended = await fleet(["run", "--suite", "quick", "--wait", ...asOwner]);
    expect([ended.code, ended.stdout]).toEqual([3, expect.stringMatching(/gpu-1 +refused +.*COMMAND_FORBIDDEN/)]);
  });

  it("says which hosts are not meant, and that nothing is known of a campaign", async () => {
    expect(await fleet(["run", "--hosts", "cpu-*", ...asOwner])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("HOST_UNKNOWN"),
    });
    expect(await fleet(["cancel", "nothing", ...asOwner])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("CAMPAIGN_UNKNOWN"),
    });
    expect((await fleet(["run", "--at-most", "0", ...asOwner])).code).toBe(2);
  });

  it("calls a run off that was asked under a name", async () => {
    const asked = await fleet(["run", "--suite", "short", "--id", "waits", "--json", ...asOwner]);
    expect(JSON.parse(asked.stdout).id).toBe("waits");
    const ended = await fleet(["cancel", "waits", ...asOwner]);
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringMatching(/waits is (cancelled|ended)/)]);
  });
});

describe("a token", () => {
  it("lets in who has it, by its role, until it is revoked", async () => {
    const elsewhere = ["--data", join(folder.path, "elsewhere")];
    expect(await fleet(["run", "--suite", "short", ...elsewhere])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("FORBIDDEN"),
    });
    const make = async (name: string, role: string): Promise<string> => {
      const made = await runProgram(["token", "create", "--name", name, "--role", role, ...asOwner]);
      expect(made.code).toBe(0);
      const file = join(folder.path, `${name}.token`);
      writeFileSync(file, made.stdout);
      return file;
    };
    const [ci, viewer] = [await make("ci", "operate"), await make("viewer", "read")];
    const text = readFileSync(join(data, "tokens.json"), "utf8");
    expect(text).not.toContain(readFileSync(ci, "utf8").trim());
    expect(statSync(join(data, "tokens.json")).mode & 0o77).toBe(0);
    expect(statSync(join(data, "owner.token")).mode & 0o77).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const run = (file: string) => fleet(["run", "--suite", "short", "--json", ...elsewhere], { FLEETMARK_TOKEN_FILE: file });
    const asked = await run(ci);
    expect([asked.code, JSON.parse(asked.stdout).by]).toEqual([0, "ci"]);
    expect(await run(viewer)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/takes the role operate; the request has the role read/),
    });
    expect((await runProgram(["token", "list", ...asOwner])).stdout).toMatch(/ci +operate/);
    expect((await runProgram(["token", "create", "--name", "ci", ...asOwner])).stderr).toContain("TOKEN_INVALID");
    expect((await runProgram(["token", "revoke", "ci", ...asOwner])).code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await run(ci)).stderr).toContain("FORBIDDEN");
    const audit = (await (await fetch(`http://${http}/api/v1/records/audit`)).json()) as { by: string; outcome: string }[];
    expect(audit.map(({ by, outcome }) => `${by} ${outcome}`)).toEqual(
      expect.arrayContaining(["ci done", "viewer forbidden", "nobody forbidden"]),
    );
    expect(existsSync(join(folder.path, "elsewhere"))).toBe(false);
  }, 60_000);

  it("that is known no more keeps nobody from reading where that takes none", async () => {
    writeFileSync(join(folder.path, "gone.token"), "fm_nobody\n");
    const read = await fleet(["status", "--json", "--token-file", join(folder.path, "gone.token")]);
    expect([read.code, JSON.parse(read.stdout).hosts.length]).toEqual([0, 1]);
    const run = await fleet(["run", "--suite", "short", "--token-file", join(folder.path, "gone.token")]);
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining("FORBIDDEN")]);
  });

  it("that can't be read is named", async () => {
    const missing = await fleet(["run", "--token-file", "/nowhere/token"]);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("TOKEN_INVALID") });
    writeFileSync(join(folder.path, "bad"), "two\nlines\n");
    expect((await fleet(["run", "--token-file", join(folder.path, "bad")])).stderr).toContain("holds no token");
  });
});
