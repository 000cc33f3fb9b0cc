import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";
import { hourUs } from "../../retention.js";
import type { SetupPlan, SetupStep } from "../../setup-plan.js";
import { buildCopyFlux, buildRollupFlux, taskName } from "../flux.js";
import { askApi, runFlux } from "../server/api.js";
import { type PolicyName, policies } from "../server/policies.js";
import { type InfluxTarget, nameBucket } from "../server/target.js";
import type { SetupWish } from "./wish.js";

/** InfluxDB 2.x: buckets, DBRP mappings and a task, by its API v2. */

const orgsSchema = z.object({ orgs: z.array(z.object({ id: z.string() })) });
const bucketSchema = z.object({
  id: z.string(),
  createdAt: z.string().optional(),
  retentionRules: z.array(z.object({ type: z.string().optional(), everySeconds: z.number() })).default([]),
});
const bucketsSchema = z.object({ buckets: z.array(bucketSchema) });
const mappingsSchema = z.object({
  content: z
    .array(
      z.object({
        id: z.string(),
        bucketID: z.string(),
        retention_policy: z.string(),
        default: z.boolean().optional(),
        virtual: z.boolean().optional(),
      }),
    )
    .default([]),
});
const tasksSchema = z.object({ tasks: z.array(z.object({ id: z.string(), flux: z.string() })).default([]) });

type Bucket = z.infer<typeof bucketSchema>;

/** 0 is for ever. */
function toRules(seconds: number): { type: "expire"; everySeconds: number }[] {
  return seconds === Number.POSITIVE_INFINITY ? [] : [{ type: "expire", everySeconds: Math.ceil(seconds) }];
}

function readKeptS(bucket: Bucket): number {
  const seconds = bucket.retentionRules[0]?.everySeconds ?? 0;
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds;
}

/** A plan as it grows. */
interface GrowingPlan {
  readonly wish: SetupWish;
  readonly orgID: string;
  readonly steps: SetupStep[];
  /** What may delete comes last. */
  readonly lastSteps: SetupStep[];
}

function makeStep(what: string, request: string, act: () => Promise<unknown>, deletes = false): SetupStep {
  const run = async (): Promise<void> => {
    await act();
  };
  return { what, request, deletes, run };
}

async function read<T>(target: InfluxTarget, schema: z.ZodType<T>, path: string, parameters: Record<string, string>): Promise<T> {
  const body = await askApi(target, "GET", path, { parameters });
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    const message = `InfluxDB at ${target.url}: ${path} answered something else: ${errorMessage(cause)}`;
    throw new FleetmarkError("STORE_FAILED", message, { cause });
  }
}

async function findOrg(target: InfluxTarget): Promise<string> {
  const { org, url } = target;
  if (org === "") throw new FleetmarkError("CONFIG_INVALID", `${url} is InfluxDB 2.x: store.org: is needed there`);
  const orgID = (await read(target, orgsSchema, "/api/v2/orgs", { org })).orgs[0]?.id;
  if (orgID !== undefined) return orgID;
  const hint = `it has no organisation ${JSON.stringify(org)} that these credentials see; correct store.org`;
  throw new FleetmarkError("STORE_FAILED", `InfluxDB at ${url}: ${hint}`);
}

async function findBucket({ wish, orgID }: GrowingPlan, name: string): Promise<Bucket | undefined> {
  return (await read(wish.target, bucketsSchema, "/api/v2/buckets", { orgID, name })).buckets[0];
}

/** Plans a bucket that keeps what it holds for so long. */
function planBucket(
  { wish, orgID, steps, lastSteps }: GrowingPlan,
  bucket: Bucket | undefined,
  name: string,
  seconds: number,
): void {
  const { target } = wish;
  const retentionRules = toRules(seconds);
  if (bucket === undefined) {
    const body = { orgID, name, retentionRules };
    const create = () => askApi(target, "POST", "/api/v2/buckets", { body });
    steps.push(makeStep(`create the bucket ${name}`, `POST /api/v2/buckets ${JSON.stringify(body)}`, create));
  } else if (readKeptS(bucket) !== seconds) {
    const body = { retentionRules };
    const path = `/api/v2/buckets/${bucket.id}`;
    const change = () => askApi(target, "PATCH", path, { body });
    const request = `PATCH ${path} ${JSON.stringify(body)}`;
    lastSteps.push(makeStep(`change how long the bucket ${name} keeps`, request, change, seconds < readKeptS(bucket)));
  }
}

/** Plans the mapping by which InfluxQL finds a bucket as a retention policy. */
function planMapping(plan: GrowingPlan, bucket: Bucket | undefined, policy: PolicyName | undefined): void {
  const { target } = plan.wish;
  const { database } = target;
  const name = nameBucket(database, policy);
  const retention_policy = policy === undefined ? "autogen" : policies[policy];
  const shown = {
    orgID: plan.orgID,
    bucketID: bucket?.id ?? `(of ${name})`,
    database,
    retention_policy,
    default: policy === undefined,
  };
  const what = `map ${database}/${retention_policy} to the bucket ${name}, for InfluxQL`;
  const map = async (): Promise<void> => {
    const bucketID = (await findBucket(plan, name))?.id;
    await askApi(target, "POST", "/api/v2/dbrps", { body: { ...shown, bucketID } });
  };
  plan.steps.push(makeStep(what, `POST /api/v2/dbrps ${JSON.stringify(shown)}`, map));
}

async function planBuckets(plan: GrowingPlan, own: Bucket | undefined): Promise<void> {
  const { target, retention } = plan.wish;
  const { database } = target;
  const found = await read(target, mappingsSchema, "/api/v2/dbrps", { orgID: plan.orgID, db: database });
  // The mapping that a bucket has by its name alone does not count: with mappings of its own, a database needs all of
  // them written down.
  const mapped = new Set(found.content.filter(({ virtual }) => virtual !== true).map((mapping) => mapping.retention_policy));
  for (const policy of [undefined, "records", "hourly"] as const) {
    const name = nameBucket(database, policy);
    const bucket = policy === undefined ? own : await findBucket(plan, name);
    planBucket(plan, bucket, name, retention[policy ?? "raw"]);
    if (!mapped.has(policy === undefined ? "autogen" : policies[policy])) planMapping(plan, bucket, policy);
  }
}

/** Plans what copies and rolls up what is there already. */
function planBackfill({ wish, steps }: GrowingPlan): void {
  const { target, retention, nowUs } = wish;
  const { database, org } = target;
  const endUs = Math.floor(nowUs / hourUs) * hourUs;
  const keptUs = retention.hourly === Number.POSITIVE_INFINITY ? endUs : retention.hourly * 1e6;
  const range = { startUs: Math.max(0, Math.ceil((nowUs - keptUs) / hourUs) * hourUs), endUs };
  for (const [what, query] of [
    ["copy the records that are there already", buildCopyFlux({ database, org }, retention.records)],
    ["roll up the telemetry that is there already", buildRollupFlux({ database, org, range })],
  ]) {
    steps.push(makeStep(what, `POST /api/v2/query ${query}`, () => runFlux(target, query)));
  }
}

async function planTask(plan: GrowingPlan, own: Bucket | undefined): Promise<void> {
  const { wish, orgID, steps } = plan;
  const { target } = wish;
  const { database, org } = target;
  const flux = buildRollupFlux({ database, org });
  const task = (await read(target, tasksSchema, "/api/v2/tasks", { orgID, name: taskName(database) })).tasks[0];
  if (task?.flux.trim() === flux.trim()) return;
  if (own !== undefined) planBackfill(plan);
  const [method, path] = task === undefined ? ["POST" as const, "/api/v2/tasks"] : ["PATCH" as const, `/api/v2/tasks/${task.id}`];
  const body = task === undefined ? { orgID, flux, status: "active" } : { flux };
  const send = () => askApi(target, method, path, { body });
  steps.push(makeStep("roll telemetry up by hour, every night", `${method} ${path} ${flux}`, send));
}

export async function planSetupV2(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const plan: GrowingPlan = { wish, orgID: await findOrg(wish.target), steps: [], lastSteps: [] };
  const own = await findBucket(plan, wish.target.database);
  await planBuckets(plan, own);
  await planTask(plan, own);
  return { steps: [...plan.steps, ...plan.lastSteps], notes: [] };
}
