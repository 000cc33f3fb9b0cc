import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";
import { retentionText, type SetupPlan, type SetupStep } from "../../setup-plan.js";
import { askApi } from "../server/api.js";
import { describeFailure } from "../server/failures.js";
import type { InfluxTarget } from "../server/target.js";
import type { SetupWish } from "./wish.js";

/** InfluxDB 3: a database has one retention period, which it keeps, and nothing in the server rolls up. */

const path = "/api/v3/configure/database";

const databasesSchema = z.array(z.object({ "iox::database": z.string() }));
const periodsSchema = z.array(z.object({ retention_period_ns: z.number().nullish() }));

async function listDatabases(target: InfluxTarget): Promise<string[]> {
  const body = await askApi(target, "GET", path, { parameters: { format: "json" } });
  try {
    return databasesSchema.parse(JSON.parse(body)).map((row) => row["iox::database"]);
  } catch (cause) {
    throw new FleetmarkError("STORE_FAILED", `InfluxDB at ${target.url} lists its databases otherwise: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/** Returns for how many hours the database keeps what it holds; undefined where the server does not tell. */
async function readPeriodH(target: InfluxTarget): Promise<number | undefined> {
  const name = target.database.replaceAll("'", "''");
  const q = `SELECT retention_period_ns FROM system.databases WHERE database_name = '${name}' AND NOT deleted`;
  try {
    const body = await askApi(target, "POST", "/api/v3/query_sql", { body: { db: "_internal", q, format: "json" } });
    const [row] = periodsSchema.parse(JSON.parse(body));
    if (row === undefined) return undefined;
    return typeof row.retention_period_ns === "number" ? Math.round(row.retention_period_ns / 3.6e12) : Number.POSITIVE_INFINITY;
  } catch {
    // Versions before 3.2 have no such table.
    return undefined;
  }
}

/** Plans to make the database, or to change how long it keeps; either is read back. */
function planPeriod({ target }: SetupWish, wantedH: number, isThere: boolean, presentH: number | undefined): SetupStep {
  const { database } = target;
  const period = wantedH === Number.POSITIVE_INFINITY ? {} : { retention_period: `${wantedH}h` };
  const body = { db: database, ...period };
  const method = isThere ? "PUT" : "POST";
  const what = isThere
    ? `keep what the database ${database} holds ${retentionText(wantedH * 3600)}`
    : `create the database ${database}`;
  const run = async (): Promise<void> => {
    await askApi(target, method, path, { body });
    const isDone = (await listDatabases(target)).includes(database) && [undefined, wantedH].includes(await readPeriodH(target));
    if (!isDone) throw describeFailure(target, `it accepted to ${what}, and reads back as if it had not`);
  };
  const deletes = isThere && presentH !== undefined && wantedH < presentH;
  return { what, request: `${method} ${path} ${JSON.stringify(body)}`, deletes, run };
}

export async function planSetupV3(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const { target, retention } = wish;
  const wantedH = Math.ceil(retention.records / 3600);
  const notes = [
    `InfluxDB 3 keeps everything of a database equally long and does not roll up: telemetry stays as it was measured as long as records do, ${retentionText(retention.records)}.`,
    "Dashboards of long ranges read samples there; shorten store.retention.records if space is dear.",
  ];
  const isThere = (await listDatabases(target)).includes(target.database);
  const presentH = isThere ? await readPeriodH(target) : undefined;
  if (isThere && presentH === undefined) {
    notes.push(`The database ${target.database} is there, and this server does not tell how long it keeps what it holds.`);
    return { steps: [], notes };
  }
  if (presentH === wantedH) return { steps: [], notes };
  return { steps: [planPeriod(wish, wantedH, isThere, presentH)], notes };
}
