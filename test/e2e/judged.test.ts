import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "@fleetmark/shared/config/config";
import { formatAddress } from "@fleetmark/shared/model/units";
import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { askHttp } from "../testbed/answers.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";
import { steerWorkload, writeSteeredWorkload } from "../testbed/steered-workload.js";

const folder = makeFolder();
const place = (name: string): string => join(folder.path, name);
const data = place("data");

let collector: Program & { facts: { grpc: Address; http: Address } };

beforeAll(async () => {
  writeSteeredWorkload(folder.path);
  const free = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  collector = await startDaemon(["collector", "--data-dir", data, ...free]);
}, 60_000);
afterAll(async () => {
  collector?.process.kill("SIGTERM");
  await collector?.ended;
  folder.remove();
});

/** Measures with so much work, sends it, and waits for the verdict. */
async function measure(rounds: number, run: number): Promise<VerdictRecord> {
  steerWorkload(folder.path, rounds);
  const what = ["--suite-file", place("suites.yaml"), "--suite", "plant", "--budget", "2s", "--output-dir", place("results")];
  const ended = await runProgram(["bench", ...what, "--report", formatAddress(collector.facts.grpc)], { cwd: folder.path });
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return vi.waitFor(
    async () => {
      const found = await askHttp<VerdictRecord[]>(collector.facts.http, "/api/v1/records/verdict");
      expect(found).toHaveLength(run);
      return found[0] as VerdictRecord;
    },
    { timeout: 20_000, interval: 100 },
  );
}

const fleetmark = (...args: string[]) => runProgram(args, { cwd: folder.path });
const fromCollector = (): string[] => ["--collector", formatAddress(collector.facts.http)];

describe("a workload that became slower", () => {
  let before: VerdictRecord;

  it("is as before while nothing changes", async () => {
    expect(await measure(20_000, 1)).toMatchObject({ verdict: "inconclusive", baseline: "none" });
    for (let run = 2; run <= 5; run++) before = await measure(20_000, run);
    expect(before).toMatchObject({ baseline: "rolling", severity: "none" });
    expect(before.verdict).not.toBe("regressed");
  }, 120_000);

  it("is a regression from the run on in which it did, for as long as it lasts", async () => {
    const first = await measure(60_000, 6);
    expect(first, first.why).toMatchObject({ verdict: "regressed", severity: "high", since_us: first.time_us });
    expect(first.change).toBeGreaterThan(100);
    const second = await measure(60_000, 7);
    expect(second).toMatchObject({ verdict: "regressed", since_us: first.time_us });
    const shown = await fleetmark("verdicts", ...fromCollector());
    expect(shown.stdout).toMatch(/controller js\/cpu +regressed, high +\+\d+\.\d %/);
    const drawn = await fleetmark("trends", "--all", "--svg", "course.svg", ...fromCollector());
    expect([drawn.code, drawn.stderr]).toEqual([0, expect.stringMatching(/1 course is drawn in course\.svg/)]);
    expect(readFileSync(place("course.svg"), "utf8")).toMatch(/^<svg .*controller js\/cpu on .*<\/svg>\n$/s);
    const none = await fleetmark("trends", "nothing*", "--svg", "none.svg", ...fromCollector());
    expect(none.stderr).toMatch(/--svg: no benchmark has a course to draw/);
  }, 120_000);

  it("is unchanged once its level was accepted, and slower again than what is pinned", async () => {
    const host = before.host;
    const accepted = await fleetmark(
      "baseline",
      "accept",
      host,
      "--reason",
      "three times the work",
      "--data",
      data,
      ...fromCollector(),
    );
    expect(accepted, accepted.stderr).toMatchObject({ code: 0 });
    expect(accepted.stdout).toMatch(/controller js\/cpu +level accepted/);
    expect(await measure(60_000, 8)).toMatchObject({ baseline: "rolling", baseline_results: 2, severity: "none" });

    const pin = ["baseline", "pin", host, "--run", before.run, "--reason", "as delivered", "--json", "--data", data];
    const pinned = await fleetmark(...pin, ...fromCollector());
    expect(JSON.parse(pinned.stdout) as BaselineRecord[]).toMatchObject([{ by: "owner", pinned_result: { run: before.run } }]);
    expect(await measure(60_000, 9)).toMatchObject({ verdict: "regressed", baseline: "pinned" });
  }, 120_000);

  it("is compared by bench with the baseline that was exported", async () => {
    const exported = await fleetmark("baseline", "export", before.host, "-o", "pinned.json", ...fromCollector());
    expect(exported, exported.stderr).toMatchObject({ code: 0 });
    const what = ["--suite-file", "suites.yaml", "--suite", "plant", "--budget", "2s", "--output-dir", "again"];
    const compared = await fleetmark("bench", ...what, "--baseline", "pinned.json", "--compare-baseline", "--json");
    expect(compared.code, compared.stderr).toBe(1);
    const imported = await fleetmark(
      ...["baseline", "import", "its-twin", "pinned.json", "--reason", "as fast as its twin", "--data", data],
      ...fromCollector(),
    );
    expect(imported, imported.stderr).toMatchObject({ code: 0 });
    const listed = await fleetmark("baseline", "list", "--json", ...fromCollector());
    expect((JSON.parse(listed.stdout) as BaselineRecord[]).map(({ host, action }) => [host, action]).sort()).toEqual(
      [
        [before.host, "pin"],
        ["its-twin", "pin"],
      ].sort(),
    );
  }, 120_000);
});

describe("fleetmark qualify", () => {
  const own = ["--suite-file", place("suites.yaml"), "--suite", "plant", "--budget", "2s"];
  const qualify = (...args: string[]) => fleetmark("qualify", ...args, "--json");
  const read = (stdout: string): string => (JSON.parse(stdout) as { fitness: string }).fitness;

  it("says that a host is fit or slow by a reference, offline", async () => {
    steerWorkload(folder.path, 20_000);
    const measured = await fleetmark("bench", ...own, "--output-dir", "twin", "--json");
    expect(measured, measured.stderr).toMatchObject({ code: 0 });
    writeFileSync(place("twin.json"), measured.stdout);
    const same = await qualify("--results", "twin.json", "--reference", "twin.json");
    expect([same.code, read(same.stdout)]).toEqual([0, "fit"]);
    steerWorkload(folder.path, 60_000);
    const slow = await qualify(...own, "--reference", "twin.json");
    expect([slow.code, read(slow.stdout)], slow.stdout).toEqual([1, "slow"]);
  }, 120_000);

  it("can't say where nobody is like it, and writes a reference of who is", async () => {
    const alone = await qualify("--results", "twin.json", ...fromCollector());
    expect([alone.code, read(alone.stdout)]).toEqual([3, "cannot-say"]);
    const exported = await fleetmark("qualify", "--export", "class.json", ...fromCollector());
    expect(exported, exported.stderr).toMatchObject({ code: 0 });
    const slower = await qualify("--results", "twin.json", "--reference", "class.json");
    expect([slower.code, read(slower.stdout)]).toEqual([0, "fit"]);
    const nobody = await fleetmark("fleet", "slow", ...fromCollector());
    expect(nobody).toMatchObject({ code: 0, stderr: expect.stringMatching(/no host can be compared: a class takes 4 hosts/) });
    const wrong = await qualify("--results", "twin.json", "--reference", "nothing.json");
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/RESULT_FILE_INVALID/) });
  }, 60_000);
});
