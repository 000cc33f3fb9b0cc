import { type Series, seriesKey } from "@fleetmark/shared/model/series";
import { isRecord } from "@fleetmark/shared/records/registry";
import { sortSeries } from "../ordering.js";
import { deliveryMeasurement, hourlyFields } from "../retention.js";
import { findRecordsPolicy, listMeasurements, readTags } from "./answers.js";
import type { InfluxServer } from "./server/connection.js";
import { type PolicyName, quoteSource } from "./server/policies.js";

/**
 * Returns the series of a measurement under a policy: `last(*)` answers, for each tag set, a column for each field
 * that it has.
 */
async function listSeriesOf(server: InfluxServer, measurement: string, policy: PolicyName | undefined): Promise<Series[]> {
  // A record is whole: its last point has every field, and is found in a tenth of the time.
  const selected = isRecord(measurement) ? ["*", " ORDER BY time DESC LIMIT 1"] : ["last(*)", ""];
  const prefix = isRecord(measurement) ? "" : policy === "hourly" ? `last_${hourlyFields.last}` : "last_";
  const answers = await server.query(`SELECT ${selected[0]} FROM ${quoteSource(measurement, policy)} GROUP BY *${selected[1]}`);
  return answers.flatMap((series) => {
    const tags = readTags(series);
    return series.columns.flatMap((column, i) =>
      i > 0 && column.startsWith(prefix) && series.values.some((row) => row[i] !== null)
        ? [{ measurement, tags, field: column.slice(prefix.length) }]
        : [],
    );
  });
}

/** Lists series, also those that only hours are left of. */
export async function listSeries(server: InfluxServer, measurement?: string): Promise<Series[]> {
  const names = measurement === undefined ? await listMeasurements(server) : [measurement];
  const [ofRecords, hasHours] = [await findRecordsPolicy(server), await server.hasPolicy("hourly")];
  const found = new Map<string, Series>();
  for (const name of names.filter((each) => each !== deliveryMeasurement)) {
    const own = isRecord(name) ? [ofRecords] : hasHours ? [undefined, "hourly" as const] : [undefined];
    for (const policy of own) {
      for (const series of await listSeriesOf(server, name, policy)) found.set(seriesKey(series), series);
    }
  }
  return sortSeries([...found.values()]);
}
