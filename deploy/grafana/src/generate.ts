import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildTree } from "./tree.js";

/** Writes the generated files, or with --check tells which of them differ. */

const deploy = fileURLToPath(new URL("../..", import.meta.url));

/** Folders that hold generated files alone. */
const owned = ["grafana/provisioning", "grafana/contact-points", "grafana/policies", "compose/grafana"];

function readTree(): Map<string, string> {
  const tree = new Map<string, string>();
  for (const folder of owned) {
    let entries: string[];
    try {
      entries = readdirSync(join(deploy, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    } catch {
      continue;
    }
    for (const path of entries) tree.set(path.slice(deploy.length), readFileSync(path, "utf8"));
  }
  return tree;
}

const wanted = buildTree();
const present = readTree();
if (process.argv.includes("--check")) {
  const paths = [...new Set([...wanted.keys(), ...present.keys()])].sort();
  const different = paths.filter((path) => wanted.get(path) !== present.get(path));
  for (const path of different) process.stderr.write(`deploy/${path} is not what deploy/grafana/src generates\n`);
  if (different.length > 0) process.stderr.write("run make grafana\n");
  process.exitCode = different.length > 0 ? 1 : 0;
} else {
  for (const folder of owned) rmSync(join(deploy, folder), { recursive: true, force: true });
  for (const [path, text] of wanted) {
    mkdirSync(dirname(join(deploy, path)), { recursive: true });
    writeFileSync(join(deploy, path), text);
  }
  process.stderr.write(`${wanted.size} files written below deploy/\n`);
}
