import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";
import { retentionText, type SetupPlan } from "../../setup-plan.js";
import { askApi } from "../server/api.js";
import type { SetupWish } from "./wish.js";

/** InfluxDB 3: a database has one retention period, which it keeps, and nothing in the server rolls up. */

const databasesSchema = z.array(z.object({ "iox::database": z.string() }));

async function listDatabases({ target }: SetupWish): Promise<string[]> {
  const body = await askApi(target, "GET", "/api/v3/configure/database", { parameters: { format: "json" } });
  try {
    return databasesSchema.parse(JSON.parse(body)).map((row) => row["iox::database"]);
  } catch (cause) {
    throw new FleetmarkError("STORE_FAILED", `InfluxDB at ${target.url} lists its databases otherwise: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

export async function planSetupV3(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const { target, retention } = wish;
  const { database } = target;
  const notes = [
    `InfluxDB 3 keeps everything of a database equally long and does not roll up: telemetry stays as it was measured as long as records do, ${retentionText(retention.records)}.`,
    "Dashboards of long ranges read samples there; shorten store.retention.records if space is dear.",
  ];
  if ((await listDatabases(wish)).includes(database)) {
    notes.push(`The database ${database} is there; how long it keeps can't be changed afterwards in InfluxDB 3 Core.`);
    return { steps: [], notes };
  }
  const period =
    retention.records === Number.POSITIVE_INFINITY ? {} : { retention_period: `${Math.ceil(retention.records / 3600)}h` };
  const body = { db: database, ...period };
  const path = "/api/v3/configure/database";
  const run = async (): Promise<void> => {
    await askApi(target, "POST", path, { body });
  };
  return {
    steps: [{ what: `create the database ${database}`, request: `POST ${path} ${JSON.stringify(body)}`, deletes: false, run }],
    notes,
  };
}
