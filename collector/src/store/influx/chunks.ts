import { isRecord, mixedKinds } from "@fleetmark/shared/records/registry";
import { deliveryMeasurement } from "../retention.js";
import type { Chunk, ChunkFilter } from "../store.js";
import { listMeasurements, toChunk } from "./answers.js";
import type { InfluxServer } from "./server/connection.js";
import { type PolicyName, quoteSource } from "./server/policies.js";

/** Reading a server from end to end, chunk by chunk, to move it elsewhere. */

/** Measurements that hold records beside telemetry. */
const mixed = new Set(mixedKinds.map(({ measurement }) => measurement));

interface Source {
  readonly policy: PolicyName | undefined;
  readonly kind: Chunk["kind"];
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * Tells where a measurement is read from: each time under one policy alone, for samples before the horizon are also
 * rolled up.
 */
function listSources(
  measurement: string,
  { fromUs, toUs }: ChunkFilter,
  has: ReadonlySet<PolicyName>,
  horizonUs: number,
): Source[] {
  const all: Source = { policy: undefined, kind: "samples", fromUs, toUs };
  if (isRecord(measurement) || measurement === deliveryMeasurement)
    return [{ ...all, policy: has.has("records") ? "records" : undefined }];
  const sources: Source[] = [];
  if (has.has("hourly")) sources.push({ ...all, policy: "hourly", kind: "hours", toUs: Math.min(toUs, horizonUs) });
  if (has.has("records") && mixed.has(measurement)) sources.push({ ...all, policy: "records", toUs: Math.min(toUs, horizonUs) });
  sources.push({ ...all, fromUs: has.has("hourly") ? Math.max(fromUs, horizonUs) : fromUs });
  return sources.filter((source) => source.fromUs < source.toUs);
}

/** Reads everything that is stored, hours first. */
export async function* readChunks(server: InfluxServer, filter: ChunkFilter, horizonUs: number): AsyncGenerator<Chunk> {
  const has = new Set<PolicyName>();
  for (const policy of ["hourly", "records"] as const) if (await server.hasPolicy(policy)) has.add(policy);
  const names = await listMeasurements(server);
  const wanted = names.filter((name) => filter.measurements.length === 0 || filter.measurements.includes(name));
  const sources = wanted.flatMap((name) => listSources(name, filter, has, horizonUs).map((source) => ({ name, ...source })));
  for (const kind of ["hours", "samples"] as const) {
    for (const { name, policy, fromUs, toUs } of sources.filter((source) => source.kind === kind)) {
      const range = `time >= ${fromUs}u AND time < ${toUs}u`;
      for await (const answers of server.stream(`SELECT * FROM ${quoteSource(name, policy)} WHERE ${range} GROUP BY *`)) {
        yield toChunk(answers, kind);
      }
    }
  }
}
