import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { canonicalTags } from "@fleetmark/shared/model/series";
import { deliveryMeasurement, hourlyFields, hourUs, isRecord } from "../retention.js";
import type { Part, PartFilter } from "../store.js";
import { buildRollupFlux } from "./flux.js";
import { type Place, quoteSource, quoteText, rollupSelect } from "./rollup.js";
import { type AnsweredSeries, type InfluxServer, type InfluxTarget, runFlux } from "./server.js";

/** Moving what a server holds. */

/** A count is an integer in hours that InfluxQL has rolled up (1.x), a float in those of a task (2.x). */
export function countsAs({ org }: InfluxTarget): (field: string) => boolean {
  return (field) => org === "" && field.startsWith(hourlyFields.count);
}

interface Source {
  readonly place: Place | undefined;
  readonly kind: Part["kind"];
  readonly fromUs: number;
  readonly toUs: number;
}

/** Tells where a measurement is read from: each time from one place alone, for samples before the horizon are also rolled up. */
function listSources(measurement: string, { fromUs, toUs }: PartFilter, has: ReadonlySet<Place>, horizonUs: number): Source[] {
  const all: Source = { place: undefined, kind: "samples", fromUs, toUs };
  if (isRecord(measurement) || measurement === deliveryMeasurement)
    return [{ ...all, place: has.has("records") ? "records" : undefined }];
  const sources: Source[] = [];
  if (has.has("hourly")) sources.push({ ...all, place: "hourly", kind: "hours", toUs: Math.min(toUs, horizonUs) });
  if (has.has("records") && measurement === "agent") sources.push({ ...all, place: "records", toUs: Math.min(toUs, horizonUs) });
  sources.push({ ...all, fromUs: has.has("hourly") ? Math.max(fromUs, horizonUs) : fromUs });
  return sources.filter((source) => source.fromUs < source.toUs);
}

/** Turns rows into a part. Texts of hours, which InfluxQL gives a last value too, are left out as the roll-up of a data file does. */
function toPart(answers: readonly AnsweredSeries[], kind: Part["kind"]): Part {
  const builder = new BatchBuilder();
  let skipped = 0;
  for (const { name, tags, columns, values } of answers) {
    const known = JSON.parse(canonicalTags(tags ?? {}));
    const isNumeric = columns.map((column) => columns.includes(hourlyFields.mean + column.slice(column.indexOf("_") + 1)));
    for (const row of values) {
      const fields: Record<string, number | string> = {};
      for (let i = 1; i < columns.length; i++) {
        const value = row[i];
        if (value === null || (kind === "hours" && !isNumeric[i])) continue;
        if (typeof value === "boolean") skipped++;
        else fields[columns[i]] = value;
      }
      builder.add({ measurement: name, tags: known, timeUs: Number(row[0]), fields });
    }
  }
  return { kind, samples: builder.build({ host: "", epochUs: 0, sequence: 1 }), skipped };
}

/** Reads everything that is stored, hours first. */
export async function* readParts(server: InfluxServer, filter: PartFilter, horizonUs: number): AsyncGenerator<Part> {
  const names = (await server.query("SHOW MEASUREMENTS")).flatMap(({ values }) => values.map(([name]) => String(name)));
  const has = new Set<Place>();
  for (const place of ["hourly", "records"] as const) if (await server.hasPlace(place)) has.add(place);
  const wanted = names.filter((name) => filter.measurements.length === 0 || filter.measurements.includes(name));
  const sources = wanted.flatMap((name) => listSources(name, filter, has, horizonUs).map((source) => ({ name, ...source })));
  for (const kind of ["hours", "samples"] as const) {
    for (const { name, place, fromUs, toUs } of sources.filter((source) => source.kind === kind)) {
      const range = `time >= ${fromUs}u AND time < ${toUs}u`;
      for await (const answers of server.stream(`SELECT * FROM ${quoteSource(name, place)} WHERE ${range} GROUP BY *`)) {
        yield toPart(answers, kind);
      }
    }
  }
}

/**
 * Rolls up the hours of a range: those that the nightly roll-up no longer looks back on.
 * @param range of one host, or of all
 * @param oldestUs a full hour before which the server keeps none
 */
export async function rollUpRange(
  server: InfluxServer,
  target: InfluxTarget,
  { fromUs, toUs, host }: Pick<PartFilter, "fromUs" | "toUs"> & { readonly host?: string },
  oldestUs: number,
): Promise<void> {
  if (fromUs >= toUs || !(await server.hasPlace("hourly"))) return;
  const [startUs, endUs] = [Math.max(oldestUs, Math.floor(fromUs / hourUs) * hourUs), Math.ceil(toUs / hourUs) * hourUs];
  if (startUs >= endUs) return;
  const { database, org } = target;
  if (org !== "") return runFlux(target, buildRollupFlux({ database, org, range: { startUs, endUs, host } }));
  const policies = await server.query("SHOW RETENTION POLICIES");
  const own = policies.flatMap(({ columns, values }) => values.filter((row) => row[columns.indexOf("default")] === true));
  const policy = String(own[0]?.[0] ?? "autogen");
  for (let dayUs = startUs; dayUs < endUs; dayUs += 24 * hourUs) {
    const ofHost = host === undefined ? [] : [`"host" = ${quoteText(host)}`];
    const conditions = [...ofHost, `time >= ${dayUs}u`, `time < ${Math.min(endUs, dayUs + 24 * hourUs)}u`];
    await server.query(rollupSelect(database, policy, conditions));
  }
}
