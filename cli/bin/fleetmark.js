#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`fleetmark needs Node.js 20.19 or newer; this is ${process.versions.node}.\n`);
  process.exit(3);
}
// An agent at rest reads a few files every 10 s: V8's optimising compiler costs it 6 MB and half of its CPU time, and never pays
// (`make bench-agent`). The command switches it on for as long as a suite runs. Nor does it make the garbage for which V8 would let the
// young generation grow from 1 MB to 32 within half an hour (`make soak`).
if (process.argv[2] === "agent") for (const flag of ["--no-opt", "--semi-space-growth-factor=1"]) setFlagsFromString(flag);
try {
  await import("../dist/main.js");
} catch (thrown) {
  if (thrown?.code !== "ERR_MODULE_NOT_FOUND") throw thrown;
  process.stderr.write(`fleetmark is not built: ${thrown.message}\nRun \`make build\` in the repository first.\n`);
  process.exit(3);
}
