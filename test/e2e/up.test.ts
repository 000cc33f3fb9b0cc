import { existsSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openStoreReadOnly } from "@fleetmark/collector";
import { type HostKpi, kpis } from "@fleetmark/shared/model/kpis";
import { type Result, type Run, resultSchema } from "@fleetmark/shared/model/result";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Ended, listDescendants, makeFolder, runProgram, startProgram } from "../testbed/program.js";

/** Tools that the agent killed as it ended are gone once the kernel has seen to them. */
async function expectGone(family: readonly number[]): Promise<void> {
  await vi.waitFor(() => {
    for (const pid of family) expect(() => process.kill(pid, 0), `process ${pid} was left behind`).toThrow();
  }, 5000);
}

const freePorts = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];

/** The collector, then the agent. */
async function listChildren(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

interface Outcome {
  readonly host: string;
  readonly run: Run;
  readonly kpis: HostKpi[];
  readonly results: Result[];
}

describe("fleetmark up --once --json", () => {
  const folder = makeFolder();
  let ended: Ended;
  let outcome: Outcome;

  beforeAll(async () => {
    ended = await runProgram(["up", "--once", "--json", "--data", folder.path, ...freePorts], {
      environment: { FLEETMARK_TELEMETRY_INTERVAL: "2s" },
    });
    outcome = JSON.parse(ended.stdout);
  }, 180_000);
  afterAll(folder.remove);

  it("measures all six KPIs, and its exit code says whether one breaches its alert threshold", () => {
    expect(outcome.kpis.map((reading) => reading.kpi)).toEqual(kpis.map((kpi) => kpi.id));
    for (const reading of outcome.kpis)
      expect(reading, ended.stderr).toMatchObject({ value: expect.any(Number), name: expect.any(String) });
    expect(ended.code).toBe(outcome.kpis.some((reading) => reading.status === "alert") ? 1 : 0);
  });

  it("gives a whole result for every benchmark of the suite", () => {
    expect(outcome.run).toMatchObject({ suite: "quick", state: "finished", failures: [] });
    expect(outcome.results).toHaveLength(outcome.run.total);
    for (const result of outcome.results) {
      expect(() => resultSchema.parse(result)).not.toThrow();
      expect(result.n).toBeGreaterThan(0);
      expect(result.median_low).toBeLessThanOrEqual(result.median);
      expect(result.median_high).toBeGreaterThanOrEqual(result.median);
    }
  });

  it("shows progress on stderr alone", () => {
    expect(ended.stderr).toMatch(/benchmark 1 of \d+ .*elapsed .*remaining /);
  });

  it("leaves results that `fleetmark results` reads from the data directory", async () => {
    const read = await runProgram(["results", "--data", folder.path, "--json"]);
    expect(read.code).toBe(0);
    const byName = (a: Result, b: Result): number => a.name.localeCompare(b.name);
    expect(JSON.parse(read.stdout).sort(byName)).toEqual(outcome.results.sort(byName));
    const table = await runProgram(["results", "--data", folder.path, "--category", "environment"]);
    expect(table.stdout).toMatch(/environment_step\{env=ChemicalReactor-v0\}/);
    expect(table.stdout).not.toMatch(/policy_forward|\p{Cc}\[/u);
  });

  it("leaves host telemetry under Telegraf's names", async () => {
    const store = await openStoreReadOnly(folder.path);
    try {
      for (const [measurement, field] of [
        ["cpu", "usage_user"],
        ["mem", "used_percent"],
        ["disk", "used_percent"],
        ["net", "bytes_recv"],
        ["system", "load1"],
      ]) {
        const until = Date.now() * 1000;
        const query = {
          measurement,
          field,
          tags: {},
          fromUs: until - 3.6e9,
          toUs: until,
          bucketUs: 3.6e9,
          aggregate: "max",
          maxPoints: 10_000,
        } as const;
        expect(await store.history(query), `${measurement}.${field}`).not.toHaveLength(0);
      }
    } finally {
      await store.close();
    }
  });
});

describe("fleetmark up without a suite", () => {
  it("ends with --once when the host was heard of, and passes on what it was given", async () => {
    const folder = makeFolder();
    const ended = await runProgram([
      ...["up", "--once", "--json", "--suite", "none", "--data-dir", folder.path, ...freePorts],
      ...["--host", "elsewhere", "--telemetry-probes", "mem", "--spool-dir", join(folder.path, "own")],
    ]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ host: "elsewhere", run: null });
    expect(existsSync(join(folder.path, "own"))).toBe(true);
    const store = await openStoreReadOnly(folder.path);
    const measured = new Set((await store.listSeries()).map(({ measurement }) => measurement));
    await store.close();
    expect(measured.has("mem")).toBe(true);
    expect(measured.has("cpu")).toBe(false);
    folder.remove();
  });
});

describe("fleetmark up, interrupted", () => {
  it("stops cleanly at Ctrl-C in the middle of the suite, and keeps what was measured", async () => {
    const folder = makeFolder();
    const up = startProgram(["up", "--data", folder.path, ...freePorts]);
    await up.waitFor(/benchmark 3 of/);
    const family = await listDescendants(up.process.pid as number);
    expect(family.length).toBeGreaterThanOrEqual(2);
    up.process.kill("SIGINT");
    const ended = await up.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain(`Kept in ${folder.path}`);
    await expectGone(family);
    const read = await runProgram(["results", "--data", folder.path, "--json"]);
    expect(JSON.parse(read.stdout).length).toBeGreaterThanOrEqual(2);
    folder.remove();
  }, 90_000);

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends at %s with exit code %i, whatever it does", async (signal, code) => {
    const folder = makeFolder();
    const up = startProgram(["up", "--suite", "none", "--data", folder.path, ...freePorts]);
    await up.waitFor(/Watching this host/);
    const family = await listDescendants(up.process.pid as number);
    up.process.kill(signal);
    expect(await up.ended).toMatchObject({ code });
    await expectGone(family);
    folder.remove();
  });

  it("ends at once at the second Ctrl-C, and leaves nobody behind", async () => {
    const folder = makeFolder();
    const up = startProgram(["up", "--data", folder.path, ...freePorts]);
    await up.waitFor(/benchmark 1 of/);
    const family = await listDescendants(up.process.pid as number);
    up.process.kill("SIGINT");
    await delay(20);
    up.process.kill("SIGINT");
    const startedMs = performance.now();
    expect(await up.ended).toMatchObject({ code: 130 });
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await expectGone(family);
    folder.remove();
  });

  it("starts an agent that was killed again without the suite, and ends with --once", async () => {
    const folder = makeFolder();
    const up = startProgram(["up", "--once", "--json", "--data", folder.path, ...freePorts]);
    await up.waitFor(/benchmark 2 of/);
    const children = await listChildren(up.process.pid as number);
    process.kill(children[1] as number, "SIGKILL");
    const ended = await up.ended;
    expect(ended.code).toBe(3);
    // The next agent says what became of the run; it is not begun again.
    const { run, results } = JSON.parse(ended.stdout) as Outcome;
    expect(run).toMatchObject({ state: "interrupted", completed: 1, reason: "the agent ended in the midst of it" });
    expect(results).toHaveLength(1);
    expect(ended.stderr).toMatch(/the agent ended \(SIGKILL\); starting it again in 0\.5 s, without the suite\n/);
    expect(ended.stderr.match(/benchmark 1 of/g)).toHaveLength(1);
    expect(ended.stderr).toMatch(/for the agent ended in the midst of it; what was measured is kept/);
    folder.remove();
  }, 60_000);

  it("starts a collector that was killed again, and loses nothing of the run", async () => {
    const folder = makeFolder();
    const suites = join(folder.path, "suites.yaml");
    const benchmarks =
      "[{ name: environment_step, params: { env: ChemicalReactor-v0 } }, { name: policy_forward, params: { batch: 1 }, runtime: jax-js }]";
    writeFileSync(suites, `suites: [{ name: short, description: two, benchmarks: ${benchmarks} }]\n`);
    const environment = { FLEETMARK_SUITES: suites };
    const args = ["up", "--suite", "short", "--once", "--json", "--data", folder.path, ...freePorts];
    const up = startProgram(args, { environment });
    await up.waitFor(/benchmark 2 of/);
    const [collector] = await listDescendants(up.process.pid as number);
    process.kill(collector, "SIGKILL");
    const ended = await up.ended;
    expect(ended.stderr).toMatch(/the collector ended \(SIGKILL\); starting it again/);
    const { run, results } = JSON.parse(ended.stdout) as Outcome;
    expect(results).toHaveLength(run.total);
    folder.remove();
  }, 180_000);

  it("takes its daemons with it when it is killed itself", async () => {
    const folder = makeFolder();
    const up = startProgram(["up", "--suite", "none", "--data", folder.path, ...freePorts]);
    await up.waitFor(/collector: gRPC on/);
    const family = await listDescendants(up.process.pid as number);
    up.process.kill("SIGKILL");
    const deadline = Date.now() + 15_000;
    const isAlive = (pid: number): boolean => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    while (family.some(isAlive) && Date.now() < deadline) await delay(50);
    expect(family.filter(isAlive)).toEqual([]);
    folder.remove();
  });
});
