import { readFileSync } from "node:fs";

/** Prints the packages that agent and bench need at run time, each once, as folders of node_modules. */
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const needed = new Set();

function add(name, from) {
  if (name.startsWith("@fleetmark/") || name.startsWith("@tensorflow/") || name === "systeminformation") return;
  const nested = `${from}/node_modules/${name}`;
  const path = packages[nested] === undefined ? `node_modules/${name}` : nested;
  if (packages[path] === undefined || needed.has(path)) return;
  needed.add(path);
  for (const next of Object.keys(packages[path].dependencies ?? {})) add(next, path);
}

for (const own of ["shared", "bench", "agent"]) for (const name of Object.keys(packages[own].dependencies ?? {})) add(name, own);
// What WebGPU's binding, which is no dependency, needs itself.
add("debug", "");
for (const path of needed) console.log(path.replace(/^node_modules\//, ""));
