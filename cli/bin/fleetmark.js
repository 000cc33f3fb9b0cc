#!/usr/bin/env node
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`fleetmark needs Node.js 20.19 or newer; this is ${process.versions.node}.\n`);
  process.exit(3);
}
try {
  await import("../dist/main.js");
} catch (thrown) {
  if (thrown?.code !== "ERR_MODULE_NOT_FOUND") throw thrown;
  process.stderr.write(`fleetmark is not built: ${thrown.message}\nRun \`make build\` in the repository first.\n`);
  process.exit(3);
}
