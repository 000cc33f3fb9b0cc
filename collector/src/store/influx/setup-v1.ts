import { hourUs } from "../retention.js";
import type { SetupPlan, SetupStep } from "../setup-plan.js";
import { copyRecordsSelects, places, quoteName, rollupLookback, rollupSelect } from "./rollup.js";
import { connectInflux, type InfluxServer } from "./server.js";
import type { SetupWish } from "./setup-wish.js";

/** InfluxDB 1.x: retention policies and a continuous query, by InfluxQL. */

const queryName = "fleetmark_hourly";
const dayUs = 24 * hourUs;

interface Policy {
  readonly name: string;
  /** Without end for ever. */
  readonly durationS: number;
  readonly isDefault: boolean;
}

/** Reads a duration as Go prints it: `720h0m0s`; `0s` is for ever. */
function readGoDuration(text: string): number {
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([hms])/g)) seconds += Number(amount) * units[unit];
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds;
}

function formatInfluxDuration(seconds: number): string {
  if (seconds === Number.POSITIVE_INFINITY) return "INF";
  return seconds % 86_400 === 0 ? `${seconds / 86_400}d` : `${Math.ceil(seconds)}s`;
}

async function readPolicies(server: InfluxServer, database: string): Promise<Policy[]> {
  const answers = await server.query(`SHOW RETENTION POLICIES ON ${quoteName(database)}`);
  return answers.flatMap(({ columns, values }) =>
    values.map((row) => ({
      name: String(row[columns.indexOf("name")]),
      durationS: readGoDuration(String(row[columns.indexOf("duration")])),
      isDefault: row[columns.indexOf("default")] === true,
    })),
  );
}

/** Returns the text of our continuous query as the server holds it; undefined where it has none. */
async function readContinuousQuery(server: InfluxServer, database: string): Promise<string | undefined> {
  const answers = await server.query("SHOW CONTINUOUS QUERIES");
  const row = answers.find(({ name }) => name === database)?.values.find(([name]) => name === queryName);
  return row === undefined ? undefined : String(row[1]);
}

/** The server prints names without the quotes that they do not need. */
function isSameQuery(a: string, b: string): boolean {
  return a.replaceAll('"', "") === b.replaceAll('"', "");
}

/** Returns when the oldest data of the policy may have been taken; undefined where there is none. */
async function findOldestUs(server: InfluxServer, database: string, policy: string): Promise<number | undefined> {
  const answers = await server.query("SHOW SHARDS");
  const shards = answers.find(({ name }) => name === database);
  if (shards === undefined) return undefined;
  const [policyAt, startAt] = [shards.columns.indexOf("retention_policy"), shards.columns.indexOf("start_time")];
  const starts = shards.values.filter((row) => row[policyAt] === policy).map((row) => Date.parse(String(row[startAt])) * 1000);
  return starts.length === 0 ? undefined : Math.min(...starts);
}

/** Returns the statements that roll up what is there already, a day each. */
function planBackfill({ target, retention, nowUs }: SetupWish, policy: string, oldestUs: number): string[] {
  const keptUs = retention.hourly === Number.POSITIVE_INFINITY ? 0 : nowUs - retention.hourly * 1e6 + hourUs;
  const endUs = Math.floor(nowUs / hourUs) * hourUs;
  const statements: string[] = [];
  for (let fromUs = Math.ceil(Math.max(oldestUs, keptUs) / hourUs) * hourUs; fromUs < endUs; fromUs += dayUs) {
    const toUs = Math.min(fromUs + dayUs, endUs);
    statements.push(rollupSelect(target.database, policy, [`time >= ${fromUs}u`, `time < ${toUs}u`]));
  }
  return statements;
}

export async function planSetupV1(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const { target, retention, nowUs } = wish;
  const { database } = target;
  const server = connectInflux(target);
  const steps: SetupStep[] = [];
  const add = (what: string, statements: readonly string[], deletes = false): void => {
    if (statements.length === 0) return;
    const more = statements.length > 1 ? ` … and ${statements.length - 1} more` : "";
    const run = async (): Promise<void> => {
      for (const statement of statements) await server.query(statement);
    };
    steps.push({ what, request: statements[0] + more, deletes, run });
  };

  const databases = (await server.query("SHOW DATABASES")).flatMap(({ values }) => values.map(([name]) => name));
  const isNew = !databases.includes(database);
  const policies = isNew ? [] : await readPolicies(server, database);
  const own = policies.find(({ isDefault }) => isDefault) ?? { name: "autogen", durationS: retention.raw };
  const on = `ON ${quoteName(database)}`;

  if (isNew) {
    const raw = `DURATION ${formatInfluxDuration(retention.raw)} REPLICATION 1 SHARD DURATION 1d NAME "autogen"`;
    add(`create the database ${database}`, [`CREATE DATABASE ${quoteName(database)} WITH ${raw}`]);
  }
  for (const place of ["records", "hourly"] as const) {
    const found = policies.find(({ name }) => name === places[place]);
    const policy = `RETENTION POLICY ${quoteName(places[place])} ${on} DURATION ${formatInfluxDuration(retention[place])}`;
    if (found === undefined) add(`create the retention policy ${places[place]}`, [`CREATE ${policy} REPLICATION 1`]);
    else if (found.durationS !== retention[place]) {
      add(`change how long ${places[place]} are kept`, [`ALTER ${policy}`], retention[place] < found.durationS);
    }
  }

  // The continuous query comes after what it makes needless: a setup that was cut short is taken up again.
  const select = rollupSelect(database, own.name, []);
  const resample = `RESAMPLE EVERY 1d FOR ${rollupLookback}`;
  const wanted = `CREATE CONTINUOUS QUERY ${quoteName(queryName)} ${on} ${resample} BEGIN ${select} END`;
  const present = isNew ? undefined : await readContinuousQuery(server, database);
  if (present === undefined || !isSameQuery(present, wanted)) {
    const oldestUs = isNew ? undefined : await findOldestUs(server, database, own.name);
    if (oldestUs !== undefined) {
      const since = retention.records === Number.POSITIVE_INFINITY ? 0 : nowUs - retention.records * 1e6 + hourUs;
      add("copy the records that are there already", copyRecordsSelects(database, own.name, since));
      add("roll up the telemetry that is there already, a day each", planBackfill(wish, own.name, oldestUs));
    }
    const replaced = present === undefined ? [] : [`DROP CONTINUOUS QUERY ${quoteName(queryName)} ${on}`];
    add("roll telemetry up by hour, every night", [...replaced, wanted]);
  }

  // What deletes comes last.
  if (own.durationS !== retention.raw) {
    const duration = `DURATION ${formatInfluxDuration(retention.raw)} SHARD DURATION 1d`;
    const what = `keep telemetry as it was measured for ${formatInfluxDuration(retention.raw)} instead of ${formatInfluxDuration(own.durationS)}`;
    add(what, [`ALTER RETENTION POLICY ${quoteName(own.name)} ${on} ${duration}`], retention.raw < own.durationS);
  }
  return { steps, notes: [] };
}
