import { execFile } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { makeFolder } from "../testbed/program.js";
import { repositoryRoot } from "../testbed/repository-root.js";

const folder = makeFolder();
afterAll(folder.remove);

/** Copies what is built of the package into a checkout below such a folder, the packages it needs linked. */
function copyCheckout(): string {
  const checkout = join(folder.path, "bench/src/x");
  mkdirSync(checkout, { recursive: true });
  cpSync(join(repositoryRoot, "bench/dist"), join(checkout, "bench/dist"), { recursive: true });
  cpSync(join(repositoryRoot, "bench/package.json"), join(checkout, "bench/package.json"));
  symlinkSync(join(repositoryRoot, "node_modules"), join(checkout, "node_modules"));
  return checkout;
}

it("a checkout below a folder bench/src runs its own benchmarks", async () => {
  const door = pathToFileURL(join(copyCheckout(), "bench/dist/index.js")).href;
  const script = `
    const { findSuite, runSuite } = await import(${JSON.stringify(door)});
    const suite = findSuite("quick");
    const benchmarks = suite.benchmarks.filter(({ workload }) => workload === "environment_step");
    const { run } = await runSuite({ suite: { ...suite, benchmarks }, budgetS: 1 });
    process.stdout.write(JSON.stringify(run));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  expect(JSON.parse(stdout)).toMatchObject({ state: "finished", total: 1, completed: 1, failures: [] });
}, 60_000);
