import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatAddress } from "@fleetmark/shared/model/units";
import { startCollector } from "#collector/collector.js";
import { collectorConfigSchema } from "#collector/config.js";

/** Writes docs/openapi.json as a collector serves it. */
const dataDir = mkdtempSync(join(tmpdir(), "fleetmark-openapi-"));
const anyPort = { listen: "127.0.0.1:0" };
const config = collectorConfigSchema.parse({ data_dir: dataDir, grpc: anyPort, http: anyPort, log: { level: "warn" } });
const collector = await startCollector(config);
try {
  const answer = await fetch(`http://${formatAddress(collector.http)}/api/v1/openapi.json`);
  const document: unknown = await answer.json();
  writeFileSync(fileURLToPath(new URL("../../docs/openapi.json", import.meta.url)), `${JSON.stringify(document, null, 2)}\n`);
} finally {
  await collector.stop();
  rmSync(dataDir, { recursive: true });
}
