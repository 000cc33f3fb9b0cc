import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endDrill, runDrill } from "./drill.js";

/** `make drill-commands`: a campaign on many hosts over each link, while collectors and hosts are killed. */
const { values } = parseArgs({
  options: {
    hosts: { type: "string", default: "1000" },
    collectors: { type: "string", default: "1" },
    links: { type: "string", default: "grpc,nats" },
    "collector-kills": { type: "string", default: "3" },
    "host-kills": { type: "string", default: "1" },
  },
});

// What the drill started goes with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void endDrill().finally(() => process.exit(130)));

for (const link of values.links.split(",") as ("grpc" | "nats")[]) {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-drill-"));
  try {
    const report = await runDrill({
      link,
      hosts: Number(values.hosts),
      collectors: values.collectors === "2" ? 2 : 1,
      collectorKills: Number(values["collector-kills"]),
      hostKills: Number(values["host-kills"]),
      folder,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    if (report.begun_twice > 0 || report.strangers > 0 || report.most_at_once > report.at_most) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
