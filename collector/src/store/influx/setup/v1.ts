import { hourUs } from "../../retention.js";
import type { SetupPlan, SetupStep } from "../../setup-plan.js";
import { copyRecordsSelects, rollupLookback, rollupSelect } from "../roll-up.js";
import { connectInflux, type InfluxServer } from "../server/connection.js";
import { policies, quoteName } from "../server/policies.js";
import type { SetupWish } from "./wish.js";

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

/** A plan as it grows. */
interface GrowingPlan {
  readonly wish: SetupWish;
  readonly server: InfluxServer;
  readonly steps: SetupStep[];
  /** Whether the database is not there yet. */
  readonly isNew: boolean;
  /** Under which telemetry is kept as it was measured. */
  readonly own: Pick<Policy, "name" | "durationS">;
  /** `ON "database"`. */
  readonly on: string;
}

function addStep({ steps, server }: GrowingPlan, what: string, statements: readonly string[], deletes = false): void {
  if (statements.length === 0) return;
  const more = statements.length > 1 ? ` … and ${statements.length - 1} more` : "";
  const run = async (): Promise<void> => {
    for (const statement of statements) await server.query(statement);
  };
  steps.push({ what, request: statements[0] + more, deletes, run });
}

function planDatabase(plan: GrowingPlan): void {
  const { target, retention } = plan.wish;
  if (!plan.isNew) return;
  const raw = `DURATION ${formatInfluxDuration(retention.raw)} REPLICATION 1 SHARD DURATION 1d NAME "autogen"`;
  addStep(plan, `create the database ${target.database}`, [`CREATE DATABASE ${quoteName(target.database)} WITH ${raw}`]);
}

function planPolicies(plan: GrowingPlan, present: readonly Policy[]): void {
  const { retention } = plan.wish;
  for (const name of ["records", "hourly"] as const) {
    const found = present.find((each) => each.name === policies[name]);
    const policy = `RETENTION POLICY ${quoteName(policies[name])} ${plan.on} DURATION ${formatInfluxDuration(retention[name])}`;
    if (found === undefined) addStep(plan, `create the retention policy ${policies[name]}`, [`CREATE ${policy} REPLICATION 1`]);
    else if (found.durationS !== retention[name]) {
      addStep(plan, `change how long ${policies[name]} are kept`, [`ALTER ${policy}`], retention[name] < found.durationS);
    }
  }
}

/** The continuous query comes after what it makes needless: a setup that was cut short is taken up again. */
async function planRollUp(plan: GrowingPlan): Promise<void> {
  const { wish, server, isNew, own, on } = plan;
  const { target, retention, nowUs } = wish;
  const { database } = target;
  const select = rollupSelect(database, own.name, []);
  const resample = `RESAMPLE EVERY 1d FOR ${rollupLookback}`;
  const wanted = `CREATE CONTINUOUS QUERY ${quoteName(queryName)} ${on} ${resample} BEGIN ${select} END`;
  const present = isNew ? undefined : await readContinuousQuery(server, database);
  if (present !== undefined && isSameQuery(present, wanted)) return;
  const oldestUs = isNew ? undefined : await findOldestUs(server, database, own.name);
  if (oldestUs !== undefined) {
    const since = retention.records === Number.POSITIVE_INFINITY ? 0 : nowUs - retention.records * 1e6 + hourUs;
    addStep(plan, "copy the records that are there already", copyRecordsSelects(database, own.name, since));
    addStep(plan, "roll up the telemetry that is there already, a day each", planBackfill(wish, own.name, oldestUs));
  }
  const replaced = present === undefined ? [] : [`DROP CONTINUOUS QUERY ${quoteName(queryName)} ${on}`];
  addStep(plan, "roll telemetry up by hour, every night", [...replaced, wanted]);
}

function planRaw(plan: GrowingPlan): void {
  const { own, on } = plan;
  const { raw } = plan.wish.retention;
  if (own.durationS === raw) return;
  const [wanted, present] = [formatInfluxDuration(raw), formatInfluxDuration(own.durationS)];
  const what = `keep telemetry as it was measured for ${wanted} instead of ${present}`;
  const statement = `ALTER RETENTION POLICY ${quoteName(own.name)} ${on} DURATION ${wanted} SHARD DURATION 1d`;
  addStep(plan, what, [statement], raw < own.durationS);
}

export async function planSetupV1(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const { target, retention } = wish;
  const { database } = target;
  const server = connectInflux(target);
  const databases = (await server.query("SHOW DATABASES")).flatMap(({ values }) => values.map(([name]) => name));
  const isNew = !databases.includes(database);
  const present = isNew ? [] : await readPolicies(server, database);
  const own = present.find(({ isDefault }) => isDefault) ?? { name: "autogen", durationS: retention.raw };
  const plan: GrowingPlan = { wish, server, steps: [], isNew, own, on: `ON ${quoteName(database)}` };
  planDatabase(plan);
  planPolicies(plan, present);
  await planRollUp(plan);
  // What deletes comes last.
  planRaw(plan);
  return { steps: plan.steps, notes: [] };
}
