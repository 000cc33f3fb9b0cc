import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import { isRecord } from "@fleetmark/shared/records/registry";
import { deliveryMeasurement, hourUs, isKeptWhole } from "../retention.js";
import { emptyColumns, selectSamples } from "../samples.js";
import type { RefuseLine, Samples } from "../store.js";
import { cutHead, formatLines } from "./line-protocol.js";
import type { InfluxServer } from "./server/connection.js";
import type { PolicyName } from "./server/policies.js";

/** Lines in one request: where the client's and the server's cost per line no longer falls. */
const blockLines = 5000;

/** When each host was last heard of: one point a host and hour, which is written over until the hour is past. */
export function buildDeliveries(batches: readonly Batch[], receivedUs: number): Samples {
  const hosts = [...new Set(batches.map(({ id }) => id.host))];
  const series = hosts.map((host) => ({ measurement: deliveryMeasurement, tags: { host }, field: "received_us" }));
  const numbers = {
    series: hosts.map((_, i) => i),
    timeUs: hosts.map(() => receivedUs - (receivedUs % hourUs)),
    values: hosts.map(() => receivedUs),
  };
  return { series, numbers, texts: emptyColumns() };
}

/**
 * Writes batches under the default policy, and what is kept longer under its own first, once `store setup` has made
 * that. A server refuses what is older than a policy keeps: no loss where the longer one has it.
 */
export async function writeBatches(server: InfluxServer, batches: readonly Samples[], refuseLine: RefuseLine): Promise<void> {
  // Telemetry alone is worth no question.
  const isWorth = batches.some(
    ({ series, texts }) => series.some(({ measurement }) => isRecord(measurement)) || texts.series.length > 0,
  );
  const keepsWhole = server.knowsPolicy("records") || (isWorth && (await server.hasPolicy("records")));
  const dialect = { doublesBackslash: server.generation() === "3" };
  const kept = keepsWhole
    ? formatLines(
        batches.map((batch) => selectSamples(batch, isKeptWhole)),
        dialect,
      )
    : [];
  await writeLines(server, kept, refuseLine, "records");
  const heads = new Set(kept.map(cutHead));
  await writeLines(server, formatLines(batches, dialect), async (line, reason) => {
    if (!(heads.has(cutHead(line)) && /retention policy/i.test(reason))) await refuseLine(line, reason);
  });
}

/** For lines of our own, which no server has a reason to refuse. */
export async function throwRefused(line: string, reason: string): Promise<void> {
  throw new FleetmarkError("STORE_FAILED", `the store refused a line of its own roll-up: ${reason} (${line.slice(0, 200)})`);
}

export async function writeLines(
  server: InfluxServer,
  lines: readonly string[],
  refuseLine: RefuseLine,
  policy?: PolicyName,
): Promise<void> {
  for (let start = 0; start < lines.length; start += blockLines) {
    await writeBlock(server, lines.slice(start, start + blockLines), refuseLine, policy);
  }
}

/**
 * Writes lines; halves what is too large or partly refused until the lines at fault are alone. Written twice, a line
 * changes nothing.
 */
async function writeBlock(
  server: InfluxServer,
  lines: readonly string[],
  refuseLine: RefuseLine,
  policy: PolicyName | undefined,
): Promise<void> {
  const outcome = await server.write(lines, policy);
  if (outcome.kind === "committed") return;
  if (lines.length === 1) {
    await refuseLine(lines[0], outcome.kind === "refused" ? outcome.reason : "larger than the server takes");
    return;
  }
  const middle = Math.ceil(lines.length / 2);
  await writeBlock(server, lines.slice(0, middle), refuseLine, policy);
  await writeBlock(server, lines.slice(middle), refuseLine, policy);
}
