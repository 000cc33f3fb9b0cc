import { HttpError } from "@influxdata/influxdb-client";
import { describeFailure, explainFailure } from "./failures.js";
import { quoteName } from "./policies.js";
import { ask } from "./queries.js";
import type { InfluxTarget } from "./target.js";

/** What a server is asked before it is relied on: nothing is written by it. */

/**
 * Checks that the server knows the credentials and has the database.
 * @throws FleetmarkError STORE_FAILED saying what to do
 */
export async function checkDatabase(target: InfluxTarget): Promise<string> {
  // Of what 1.x can be asked, this needs the database and no more than the right to read it.
  const { error } = await ask(target, 'SHOW FIELD KEYS FROM "fleetmark_check"');
  // 1.x says so in an answer of 200; told as its successors do.
  if (error !== undefined && /database not found/.test(error))
    throw explainFailure(target, new HttpError(404, "Not Found", error));
  // A server that takes lines and knows no InfluxQL shows by the writing what it is worth.
  if (error !== undefined) return "this server does not tell whether it is there";
  return target.token === "" ? "it is there, and asks for no credentials" : "it is there, and the credentials may read it";
}

/**
 * Measurements of the agents' telemetry, whose names are Telegraf's: another writer of the same database has them too.
 */
const sharedMeasurements = [
  "cpu",
  "mem",
  "swap",
  "disk",
  "diskio",
  "net",
  "system",
  "pressure",
  "nvidia_smi",
  "amd_rocm_smi",
  "agent",
];

/** Fields that Telegraf has and agents don't. */
const foreignFields: ReadonlySet<string> = new Set(["system.uptime_format"]);

/** Records that share a measurement with telemetry are texts. */
const ownTexts: ReadonlySet<string> = new Set(["agent.version", "agent.hardware_class", "agent.inventory"]);

const shownConflicts = 5;

/**
 * Checks that nobody has written a field of agents' telemetry with another type: the server would refuse theirs, for
 * the first type of a field stands.
 * @throws FleetmarkError STORE_FAILED naming the fields
 */
export async function checkFieldTypes(target: InfluxTarget): Promise<string> {
  const { series, error } = await ask(target, `SHOW FIELD KEYS FROM ${sharedMeasurements.map(quoteName).join(", ")}`);
  if (error !== undefined) return "this server does not tell the types of fields";
  const conflicts = series.flatMap(({ name, columns, values }) => {
    const [keyAt, typeAt] = [columns.indexOf("fieldKey"), columns.indexOf("fieldType")];
    return values.flatMap((row) => {
      const [field, type] = [`${name}.${row[keyAt]}`, String(row[typeAt])];
      return type === "float" || foreignFields.has(field) || (ownTexts.has(field) && type === "string")
        ? []
        : [`${field} (${type})`];
    });
  });
  if (conflicts.length === 0) return "no field of telemetry has another type there";
  const shown = conflicts.slice(0, shownConflicts).join(", ");
  const more = conflicts.length > shownConflicts ? ` and ${conflicts.length - shownConflicts} more` : "";
  throw describeFailure(
    target,
    `another writer has written ${shown}${more}, and Fleetmark writes numbers as floats, which would be refused: give it a database of its own (store.database)`,
  );
}
