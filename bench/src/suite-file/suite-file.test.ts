import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { nameBenchmark } from "../measure/benchmark-result.js";
import { readSuiteFile, readSuiteFiles } from "./suite-file.js";

const folder = mkdtempSync(join(tmpdir(), "fleetmark-suite-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "work.mjs"), "export function step() {}\n");
writeFileSync(join(folder, "tool"), "#!/bin/sh\n");
chmodSync(join(folder, "tool"), 0o755);
writeFileSync(join(folder, "text"), "");

let written = 0;

function write(text: string): string {
  const path = join(folder, `suites-${++written}.yaml`);
  writeFileSync(path, text);
  return path;
}

const whole = `
workloads:
  - name: controller_step
    module: ./work.mjs
    function: step
  - name: simulate
    command: [./tool, --fast]
  - name: script
    command: [python3, script.py]
suites:
  - name: plant
    description: what the controller does
    benchmarks:
      - name: controller_step
        params: { horizon: 20, mode: fast }
      - name: simulate
        runtime: jax
      - name: script
      - name: policy_forward
        params: { batch: 64 }
        runtime: jax-js
      - filter: environment_step*Chemical*
  - name: small
    benchmarks:
      - name: td3_bc_update
`;

describe("readSuiteFile", () => {
  it("makes suites of the user's workloads and of Fleetmark's own", () => {
    const [plant, small] = readSuiteFile(write(whole));
    expect(plant).toMatchObject({ name: "plant", description: "what the controller does" });
    expect(plant?.benchmarks.map(nameBenchmark)).toEqual([
      "controller_step{horizon=20,mode=fast} js/cpu",
      "simulate jax/cpu",
      "script command/cpu",
      "policy_forward{batch=64} jax-js/cpu",
      "environment_step{env=ChemicalReactor-v0} js/cpu",
    ]);
    expect(plant?.benchmarks.map(({ category }) => category)).toEqual(["external", "external", "external", "rl", "environment"]);
    expect(plant?.benchmarks[0]?.module).toEqual({ url: pathToFileURL(join(folder, "work.mjs")).href, function: "step" });
    expect(plant?.benchmarks[1]?.command).toEqual({ program: join(folder, "tool"), args: ["--fast"], folder });
    expect(plant?.benchmarks[2]?.command).toEqual({ program: "python3", args: ["script.py"], folder });
    expect(small?.benchmarks.length).toBeGreaterThan(1);
  });

  const one = (workload: string, benchmark = "{ name: mine }"): string =>
    `workloads: [${workload}]\nsuites: [{ name: s, benchmarks: [${benchmark}] }]\n`;

  it.each([
    ["", /expected object/],
    ["suites: []", /suites: names at least one suite/],
    ["suits: []", /unknown key suits; did you mean suites\?/],
    ["a: [1", /suites-\d+\.yaml: /],
    [one("{ name: mine }"), /workloads\[0\]: has either a module or a command/],
    [one("{ name: mine, module: a.mjs, command: [b] }"), /workloads\[0\]: has either/],
    [one("{ name: mine, modul: a.mjs }"), /unknown key workloads\[0\]\.modul; did you mean module\?/],
    [one("{ name: mine, module: none.mjs }"), /workloads\[0\]\.module: there is no file .*none\.mjs/],
    [one("{ name: mine, module: . }"), /workloads\[0\]\.module: there is no file/],
    [one("{ name: mine, command: [] }"), /workloads\[0\]\.command: names a program/],
    [one("{ name: mine, command: python3 }"), /workloads\[0\]\.command: .*expected array/],
    [one("{ name: mine, command: [./none] }"), /workloads\[0\]\.command\[0\]: can't be run/],
    [one("{ name: mine, command: [./text] }"), /workloads\[0\]\.command\[0\]: can't be run/],
    [one("{ name: mine, command: [a], function: b }"), /workloads\[0\]\.function: is that of a module/],
    [one("{ name: policy_forward, command: [a] }"), /workloads\[0\]\.name: policy_forward is one of Fleetmark's own/],
    [one("{ name: 'my work', command: [a] }"), /workloads\[0\]\.name: a name is/],
    [one("{ name: mine, command: [a] }, { name: mine, command: [b] }"), /workloads\[1\]\.name: mine is there twice/],
    [
      one("{ name: mine, command: [a] }", "{ name: mien }"),
      /benchmarks\[0\]\.name: there is no workload mien; did you mean mine\?/,
    ],
    [one("{ name: mine, command: [a] }", "{}"), /benchmarks\[0\]: has either a name or a filter/],
    [one("{ name: mine, command: [a] }", "{ filter: nothing* }"), /benchmarks\[0\]\.filter: no benchmark/],
    [one("{ name: mine, command: [a] }", "{ name: mine, params: { a: [1] } }"), /benchmarks\[0\]\.params\.a: /],
    [one("{ name: mine, command: [a] }", "{ name: mine, params: { a: 'x,b=2' } }"), /benchmarks\[0\]\.params\.a: .*comma/],
    [one("{ name: mine, command: [a] }", "{ name: mine }, { name: mine }"), /suites\[0\]: has mine command\/cpu twice/],
    ["suites: [{ name: quick, benchmarks: [{ filter: '*' }] }]", /suites\[0\]\.name: quick means something already/],
    ["suites: [{ name: a, benchmarks: [{ name: td3_bc_update, runtime: nojax }] }]", /benchmarks\[0\]\.runtime: .*nojax/],
  ])("refuses %j and names the key", (text, message) => {
    expect(() => readSuiteFile(write(text))).toThrow(
      expect.objectContaining({ code: "SUITE_FILE_INVALID", message: expect.stringMatching(message) }),
    );
  });

  it("refuses a file that is not there", () => {
    expect(() => readSuiteFile(join(folder, "none.yaml"))).toThrow(/none\.yaml: ENOENT/);
  });

  it("takes any text for suites or for an error of the catalogue", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          readSuiteFile(write(text));
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "SUITE_FILE_INVALID" });
        }
      }),
      { numRuns: 50 },
    );
  });
});

it("reads several files, whose suites differ by name", () => {
  const path = write(whole);
  expect(readSuiteFiles([path]).map(({ name }) => name)).toEqual(["plant", "small"]);
  expect(() => readSuiteFiles([path, write(whole)])).toThrow(/plant is in a file before it too/);
});
