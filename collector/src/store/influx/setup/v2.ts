import { hourUs } from "../../retention.js";
import { retentionText, type SetupPlan, type SetupStep } from "../../setup-plan.js";
import { ownMeasurements } from "../answers.js";
import { readMark, rollUpFinished, writeMark } from "../hour-roll-up.js";
import { askApi, runFlux } from "../server/api.js";
import { connectInflux, type InfluxServer } from "../server/connection.js";
import { describeFailure } from "../server/failures.js";
import { type PolicyName, policies, quoteSource } from "../server/policies.js";
import { nameBucket } from "../server/target.js";
import {
  type Bucket,
  createBucket,
  findBucket,
  findServerV2,
  listMappings,
  listTasks,
  type Mapping,
  readBucket,
  readKeptS,
  type ServerV2,
  toRule,
} from "./api-v2.js";
import { buildCopyFlux } from "./copy-flux.js";
import type { SetupWish } from "./wish.js";

/**
 * InfluxDB 2.x: three buckets, and the mappings (DBRP) by which InfluxQL finds them as retention policies of one
 * database. Hours are rolled up by the collector. Every step reads back, by ids, what it has done.
 *
 *   buckets ─► mappings ─► copy the records ─► roll up what is there ─► what deletes comes last
 *
 * What was copied or rolled up is marked in the bucket that got it: a bucket that was made anew has no mark, and is
 * filled again.
 */

/** A place that the setup makes, and what of it is there. */
interface Place {
  readonly policy: PolicyName | undefined;
  readonly bucketName: string;
  /** What InfluxQL calls it. */
  readonly policyName: string;
  readonly bucket: Bucket | undefined;
  /** The mapping of that name, whichever bucket it names. */
  readonly mapping: Mapping | undefined;
}

/** A plan as it grows. */
interface GrowingPlan extends ServerV2 {
  readonly wish: SetupWish;
  readonly server: InfluxServer;
  readonly steps: SetupStep[];
  /** What may delete comes last. */
  readonly lastSteps: SetupStep[];
}

function makeStep(what: string, request: string, run: () => Promise<void>, deletes = false): SetupStep {
  return { what, request, deletes, run };
}

/** @throws FleetmarkError STORE_FAILED where a step was accepted and not done */
function expectRead({ target }: ServerV2, what: string, isDone: boolean): void {
  if (!isDone) throw describeFailure(target, `it accepted to ${what}, and reads back as if it had not`);
}

async function readPlace(server: ServerV2, mappings: readonly Mapping[], policy: PolicyName | undefined): Promise<Place> {
  const bucketName = nameBucket(server.target.database, policy);
  const policyName = policy === undefined ? "autogen" : policies[policy];
  const mapping = mappings.find(({ retention_policy }) => retention_policy === policyName);
  const bucket = (await findBucket(server, bucketName)) ?? (mapping && (await readBucket(server, mapping.bucketID)));
  return { policy, bucketName, policyName, bucket, mapping };
}

/** Plans a bucket of a name that keeps what it holds for so long. */
function planBucket(plan: GrowingPlan, { policy, bucketName, bucket }: Place): void {
  const { target, orgID, steps, lastSteps } = plan;
  const seconds = plan.wish.retention[policy ?? "raw"];
  const retentionRules = [toRule(seconds)] as const;
  if (bucket === undefined) {
    const what = `create the bucket ${bucketName}`;
    const create = async (): Promise<void> => {
      const made = await readBucket(plan, await createBucket(plan, bucketName, retentionRules[0]));
      expectRead(plan, what, made !== undefined && readKeptS(made) === seconds);
    };
    steps.push(makeStep(what, `POST /api/v2/buckets ${JSON.stringify({ orgID, name: bucketName, retentionRules })}`, create));
    return;
  }
  const path = `/api/v2/buckets/${bucket.id}`;
  const change = (what: string, body: object, isDone: (changed: Bucket) => boolean, deletes = false): SetupStep => {
    const run = async (): Promise<void> => {
      await askApi(target, "PATCH", path, { body });
      const changed = await readBucket(plan, bucket.id);
      expectRead(plan, what, changed !== undefined && isDone(changed));
    };
    return makeStep(what, `PATCH ${path} ${JSON.stringify(body)}`, run, deletes);
  };
  // `influxd upgrade` calls the buckets of a database of 1.x `fleetmark/autogen` and so on; mappings go by their ids.
  if (bucket.name !== bucketName) {
    const what = `rename the bucket ${bucket.name}, which holds what is there already, to ${bucketName}`;
    steps.push(change(what, { name: bucketName }, ({ name }) => name === bucketName));
  }
  const keptS = readKeptS(bucket);
  if (keptS !== seconds) {
    const what = `keep what the bucket ${bucketName} holds ${retentionText(seconds)} instead of ${retentionText(keptS)}`;
    lastSteps.push(change(what, { retentionRules }, (changed) => readKeptS(changed) === seconds, seconds < keptS));
  }
}

/** Plans the mapping by which InfluxQL finds the place. */
function planMapping(plan: GrowingPlan, { policy, policyName, bucketName, bucket, mapping }: Place): void {
  const { target, orgID, steps } = plan;
  const { database } = target;
  const isDefault = policy === undefined;
  const pointsElsewhere = mapping !== undefined && mapping.bucketID !== bucket?.id;
  if (mapping !== undefined && !pointsElsewhere && (mapping.default || !isDefault)) return;
  const instead = pointsElsewhere ? ` instead of the bucket with the id ${mapping.bucketID}` : "";
  const what = `map ${database}/${policyName} to the bucket ${bucketName}${instead}, for InfluxQL`;
  const shown = {
    orgID,
    bucketID: bucket?.id ?? `(of ${bucketName})`,
    database,
    retention_policy: policyName,
    default: isDefault,
  };
  const map = async (): Promise<void> => {
    const bucketID = (await findBucket(plan, bucketName))?.id;
    if (mapping !== undefined) await askApi(target, "DELETE", `/api/v2/dbrps/${mapping.id}`, { parameters: { orgID } });
    await askApi(target, "POST", "/api/v2/dbrps", { body: { ...shown, bucketID } });
    const mappings = await listMappings(plan);
    const isDone = mappings.some((each) => {
      return each.retention_policy === policyName && each.bucketID === bucketID && (each.default || !isDefault);
    });
    expectRead(plan, what, isDone);
  };
  steps.push(makeStep(what, `POST /api/v2/dbrps ${JSON.stringify(shown)}`, map));
}

/** Whether InfluxQL finds the bucket of that very id there, so that it can be asked for a mark. */
function isReadable({ bucket, mapping }: Place): boolean {
  return bucket !== undefined && mapping?.bucketID === bucket.id;
}

const copyMark = { measurement: ownMeasurements.setup, field: "records_copied" };

async function writeCopyMark({ server, wish }: GrowingPlan): Promise<void> {
  await server.write([`${copyMark.measurement} ${copyMark.field}=1 ${wish.nowUs}`], "records");
}

async function hasCopyMark({ server }: GrowingPlan): Promise<boolean> {
  const source = quoteSource(copyMark.measurement, "records");
  return (await server.query(`SELECT "${copyMark.field}" FROM ${source} LIMIT 1`)).length > 0;
}

/** Plans to copy the records that are there already, into a place that has not got them. */
async function planCopy(plan: GrowingPlan, own: Place, records: Place): Promise<void> {
  const { target, orgID, wish, steps } = plan;
  if (isReadable(records) && (await hasCopyMark(plan))) return;
  const keepS = wish.retention.records;
  const what = "copy the records that are there already";
  const copy = async (): Promise<void> => {
    const [from, to] = [await findBucket(plan, own.bucketName), await findBucket(plan, records.bucketName)];
    expectRead(plan, what, from !== undefined && to !== undefined);
    if (from === undefined || to === undefined) return;
    await runFlux(target, orgID, buildCopyFlux({ fromID: from.id, toID: to.id, orgID }, keepS));
    await writeCopyMark(plan);
    expectRead(plan, what, await hasCopyMark(plan));
  };
  const shown = buildCopyFlux({ fromID: own.bucket?.id ?? "…", toID: records.bucket?.id ?? "…", orgID }, keepS);
  steps.push(makeStep(what, `POST /api/v2/query ${shown}`, copy));
}

/** Plans to roll up the telemetry that is there already, as the collector does with what comes. */
async function planRollUp(plan: GrowingPlan, hourly: Place): Promise<void> {
  const { wish, server, steps } = plan;
  if (isReadable(hourly) && (await readMark(server)) !== undefined) return;
  const endUs = Math.floor(wish.nowUs / hourUs) * hourUs;
  const oldestUs = Math.max(0, Math.ceil((wish.nowUs - wish.retention.hourly * 1e6) / hourUs) * hourUs) + hourUs;
  const what = "roll up the telemetry that is there already, host by host and day by day";
  const run = (): Promise<void> => rollUpFinished(server, oldestUs, endUs);
  steps.push(makeStep(what, "InfluxQL by /query, and what it answers by /api/v2/write", run));
}

/** Plans to remember that a place that is new has all that is to be copied or rolled up. */
function planMarks(plan: GrowingPlan): void {
  const { wish, server, steps } = plan;
  const what = "mark that there is nothing to copy or to roll up";
  const run = async (): Promise<void> => {
    await writeCopyMark(plan);
    await writeMark(server, Math.floor(wish.nowUs / hourUs) * hourUs);
    expectRead(plan, what, (await hasCopyMark(plan)) && (await readMark(server)) !== undefined);
  };
  steps.push(makeStep(what, "a point in records and one in hourly, by /api/v2/write", run));
}

/** Earlier versions had a task roll up every night, which needed more memory than servers have. */
async function planTasks(plan: GrowingPlan): Promise<void> {
  const { target } = plan;
  const name = `${target.database}_fleetmark_hourly`;
  for (const id of await listTasks(plan, name)) {
    const what = `remove the task ${name}: the collector rolls up`;
    const remove = async (): Promise<void> => {
      await askApi(target, "DELETE", `/api/v2/tasks/${id}`, {});
      expectRead(plan, what, !(await listTasks(plan, name)).includes(id));
    };
    plan.steps.push(makeStep(what, `DELETE /api/v2/tasks/${id}`, remove));
  }
}

export async function planSetupV2(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const found = await findServerV2(wish.target);
  const plan: GrowingPlan = { ...found, wish, server: connectInflux(wish.target), steps: [], lastSteps: [] };
  const mappings = await listMappings(plan);
  const own = await readPlace(plan, mappings, undefined);
  const records = await readPlace(plan, mappings, "records");
  const hourly = await readPlace(plan, mappings, "hourly");
  for (const place of [own, records, hourly]) {
    planBucket(plan, place);
    planMapping(plan, place);
  }
  if (own.bucket === undefined && records.bucket === undefined && hourly.bucket === undefined) {
    planMarks(plan);
  } else {
    await planCopy(plan, own, records);
    await planRollUp(plan, hourly);
  }
  await planTasks(plan);
  return { steps: [...plan.steps, ...plan.lastSteps], notes: [] };
}
