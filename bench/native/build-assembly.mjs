/**
 * Compiles the modules of assembly/ by AssemblyScript into assembly/compiled, those that are older than their sources:
 * node build-assembly.mjs
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const sources = join(root, "assembly");
const target = join(sources, "compiled");
const modules = ["chemical-reactor", "hvac-control", "policy", "reference"];

const timeOf = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const files = readdirSync(sources).filter((name) => name.endsWith(".ts"));
const changed = Math.max(...files.map((name) => timeOf(join(sources, name))), timeOf(fileURLToPath(import.meta.url)));

mkdirSync(target, { recursive: true });
for (const name of modules) {
  const output = join(target, `${name}.wasm`);
  if (timeOf(output) > changed) continue;
  const flags = ["-O3", "--noAssert", "--enable", "simd", "--runtime", "stub", "--importMemory"];
  const { error, stdout, stderr } = await asc.main([`${name}.ts`, "--baseDir", sources, "--outFile", output, ...flags]);
  if (error === null) continue;
  process.stderr.write(`${stdout}${stderr}${error.message}\n`);
  process.exit(1);
}
