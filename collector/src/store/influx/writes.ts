import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { isRecord } from "@fleetmark/shared/records/registry";
import { deliveryMeasurement, hourUs, isKeptWhole } from "../retention.js";
import { emptyColumns, selectSamples } from "../samples.js";
import type { RefuseLine, Samples } from "../store.js";
import { type FieldTypes, findSuffix, learnConflicts } from "./lines/field-types.js";
import { cutHead, formatLines } from "./lines/line-protocol.js";
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

/** A field's type turned out to be another: the lines are to be written anew. */
class TypeLearned extends Error {}

/** Fields whose type is learned from conflicts, one after the other, before they are taken for what they are. */
const mostConflicts = 100;

/**
 * Writes batches under the default policy, and what is kept longer under its own first, once `store setup` has made
 * that. A server refuses what is older than a policy keeps: no loss where the longer one has it. One that has a field
 * as another type says so, and is written to as it has it.
 */
export async function writeBatches(
  server: InfluxServer,
  types: FieldTypes,
  batches: readonly Samples[],
  refuseLine: RefuseLine,
): Promise<void> {
  for (let conflicts = 0; ; conflicts++) {
    const refused: [line: string, reason: string][] = [];
    const refuse = async (line: string, reason: string): Promise<void> => void refused.push([line, reason]);
    const learn = (reason: string): void => {
      if (conflicts < mostConflicts && learnConflicts(types, reason)) throw new TypeLearned();
    };
    try {
      await writeAll(server, types, batches, { refuseLine: refuse, onRefusal: learn });
    } catch (thrown) {
      if (thrown instanceof TypeLearned) continue;
      throw thrown;
    }
    for (const [line, reason] of refused) await refuseLine(line, reason);
    return;
  }
}

/** What hears of what a server refuses: of a line by itself, and before of each request of which it refused some. */
interface Refusals {
  readonly refuseLine: RefuseLine;
  readonly onRefusal?: (reason: string) => void;
}

async function writeAll(
  server: InfluxServer,
  types: FieldTypes,
  batches: readonly Samples[],
  { refuseLine, onRefusal }: Refusals,
): Promise<void> {
  // Telemetry alone is worth no question.
  const isWorth = batches.some(
    ({ series, texts }) => series.some(({ measurement }) => isRecord(measurement)) || texts.series.length > 0,
  );
  const keepsWhole = server.knowsPolicy("records") || (isWorth && (await server.hasPolicy("records")));
  const findOwnSuffix = (series: Series): string => findSuffix(types, series);
  const dialect = { doublesBackslash: server.generation() === "3", findSuffix: findOwnSuffix };
  const kept = keepsWhole
    ? formatLines(
        batches.map((batch) => selectSamples(batch, isKeptWhole)),
        dialect,
      )
    : [];
  await writeBlocks(server, kept, { refuseLine, onRefusal }, "records");
  const heads = new Set(kept.map(cutHead));
  const refuseOther: RefuseLine = async (line, reason) => {
    if (!(heads.has(cutHead(line)) && /retention policy/i.test(reason))) await refuseLine(line, reason);
  };
  await writeBlocks(server, formatLines(batches, dialect), { refuseLine: refuseOther, onRefusal });
}

/** For lines of our own, which no server has a reason to refuse. */
export async function throwRefused(line: string, reason: string): Promise<void> {
  throw new FleetmarkError("STORE_FAILED", `the store refused a line of its own roll-up: ${reason} (${line.slice(0, 200)})`);
}

export function writeLines(
  server: InfluxServer,
  lines: readonly string[],
  refuseLine: RefuseLine,
  policy?: PolicyName,
): Promise<void> {
  return writeBlocks(server, lines, { refuseLine }, policy);
}

async function writeBlocks(
  server: InfluxServer,
  lines: readonly string[],
  refusals: Refusals,
  policy?: PolicyName,
): Promise<void> {
  for (let start = 0; start < lines.length; start += blockLines) {
    await writeBlock(server, lines.slice(start, start + blockLines), refusals, policy);
  }
}

/**
 * Writes lines; halves what is too large or partly refused until the lines at fault are alone. Written twice, a line
 * changes nothing.
 */
async function writeBlock(
  server: InfluxServer,
  lines: readonly string[],
  refusals: Refusals,
  policy: PolicyName | undefined,
): Promise<void> {
  const outcome = await server.write(lines, policy);
  if (outcome.kind === "committed") return;
  if (outcome.kind === "refused") refusals.onRefusal?.(outcome.reason);
  if (lines.length === 1) {
    await refusals.refuseLine(lines[0], outcome.kind === "refused" ? outcome.reason : "larger than the server takes");
    return;
  }
  const middle = Math.ceil(lines.length / 2);
  await writeBlock(server, lines.slice(0, middle), refusals, policy);
  await writeBlock(server, lines.slice(middle), refusals, policy);
}
