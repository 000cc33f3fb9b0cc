import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** A workload whose speed is set from outside, between two runs. */
const work = `
import { readFileSync } from "node:fs";
export async function setupTask() {
  const rounds = Number(readFileSync(new URL("./rounds", import.meta.url), "utf8"));
  return { iterate: () => { let x = 1; for (let i = 0; i < rounds; i++) x = (x * 1.000001 + i) % 1000; return x; } };
}
`;
const suites = `
workloads: [{ name: controller, module: ./work.mjs }]
suites: [{ name: plant, benchmarks: [{ name: controller }] }]
`;

/** Puts the workload into a folder, as the suite `plant` of the file suites.yaml. */
export function writeSteeredWorkload(folder: string): void {
  writeFileSync(join(folder, "work.mjs"), work);
  writeFileSync(join(folder, "suites.yaml"), suites);
}

/** Sets how much work an iteration does. */
export function steerWorkload(folder: string, rounds: number): void {
  writeFileSync(join(folder, "rounds"), String(rounds));
}
