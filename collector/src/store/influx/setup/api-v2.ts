import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";
import { askApi, isNotFound } from "../server/api.js";
import { describeFailure } from "../server/failures.js";
import type { InfluxTarget } from "../server/target.js";

/** What of InfluxDB's API v2 a setup asks for: what is there, by name at first and by its id from then on. */

const orgsSchema = z.object({ orgs: z.array(z.object({ id: z.string() })) });

const bucketSchema = z.object({
  id: z.string(),
  name: z.string(),
  retentionRules: z
    .array(z.object({ everySeconds: z.number().default(0), shardGroupDurationSeconds: z.number().optional() }))
    .default([]),
});
export type Bucket = z.infer<typeof bucketSchema>;

const mappingSchema = z.object({
  id: z.string(),
  database: z.string(),
  bucketID: z.string(),
  retention_policy: z.string(),
  default: z.boolean().default(false),
  virtual: z.boolean().default(false),
});
/** A mapping by which InfluxQL finds a bucket as a retention policy of a database (DBRP). */
export type Mapping = z.infer<typeof mappingSchema>;

const tasksSchema = z.object({ tasks: z.array(z.object({ id: z.string() })).default([]) });

/** Where on a server, by its id too. */
export interface ServerV2 {
  readonly target: InfluxTarget;
  readonly orgID: string;
}

/** How long a bucket keeps what it holds, as the API has it: 0 is for ever. */
export interface BucketRule {
  readonly type: "expire";
  readonly everySeconds: number;
  readonly shardGroupDurationSeconds: number;
}

const hourS = 3600;
const dayS = 24 * hourS;

/**
 * Returns the rule for a retention. The server refuses one that is shorter than the bucket's shard groups, and a change
 * of the one alone leaves the other as it was: both go together, shard groups as long as the server itself makes them.
 */
export function toRule(seconds: number): BucketRule {
  if (seconds === Number.POSITIVE_INFINITY) return { type: "expire", everySeconds: 0, shardGroupDurationSeconds: 7 * dayS };
  const shardGroupDurationSeconds = seconds < 2 * dayS ? hourS : seconds <= 180 * dayS ? dayS : 7 * dayS;
  return { type: "expire", everySeconds: Math.ceil(seconds), shardGroupDurationSeconds };
}

/** Returns for how many seconds a bucket keeps what it holds; without end for ever. */
export function readKeptS({ retentionRules }: Bucket): number {
  const seconds = retentionRules[0]?.everySeconds ?? 0;
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds;
}

function parse<T>({ url }: InfluxTarget, path: string, schema: z.ZodType<T>, body: string): T {
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    const message = `InfluxDB at ${url}: ${path} answered something else: ${errorMessage(cause)}`;
    throw new FleetmarkError("STORE_FAILED", message, { cause });
  }
}

type Parameters = Readonly<Record<string, string>>;

async function read<T>(target: InfluxTarget, schema: z.ZodType<T>, path: string, parameters: Parameters = {}): Promise<T> {
  return parse(target, path, schema, await askApi(target, "GET", path, { parameters }));
}

/** Asks for what may not be there: for most names that it does not know the server answers 404. */
async function readIfThere<T>(
  target: InfluxTarget,
  schema: z.ZodType<T>,
  path: string,
  parameters: Parameters = {},
): Promise<T | undefined> {
  try {
    return await read(target, schema, path, parameters);
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
}

/** @throws FleetmarkError CONFIG_INVALID, STORE_FAILED saying what to do */
export async function findServerV2(target: InfluxTarget): Promise<ServerV2> {
  const { org, url } = target;
  if (org === "") throw new FleetmarkError("CONFIG_INVALID", `${url} is InfluxDB 2.x: store.org: is needed there`);
  const orgID = (await readIfThere(target, orgsSchema, "/api/v2/orgs", { org }))?.orgs[0]?.id;
  if (orgID !== undefined) return { target, orgID };
  const hint = `it has no organisation ${JSON.stringify(org)} that these credentials see; correct store.org (--store-org), or hand in an administrator's credentials with --admin-token-file`;
  throw describeFailure(target, hint);
}

export async function findBucket({ target, orgID }: ServerV2, name: string): Promise<Bucket | undefined> {
  const found = await readIfThere(target, z.object({ buckets: z.array(bucketSchema) }), "/api/v2/buckets", { orgID, name });
  return found?.buckets[0];
}

export function readBucket({ target }: ServerV2, id: string): Promise<Bucket | undefined> {
  return readIfThere(target, bucketSchema, `/api/v2/buckets/${id}`);
}

/** @returns its id */
export async function createBucket({ target, orgID }: ServerV2, name: string, rule: BucketRule): Promise<string> {
  const body = { orgID, name, retentionRules: [rule] };
  const path = "/api/v2/buckets";
  return parse(target, path, bucketSchema, await askApi(target, "POST", path, { body })).id;
}

/**
 * Lists the mappings of a database that were written down. The one that a bucket has by its name alone does not count:
 * with mappings of its own, a database needs all of them written down.
 */
export async function listMappings({ target, orgID }: ServerV2): Promise<Mapping[]> {
  const schema = z.object({ content: z.array(mappingSchema).default([]) });
  const parameters = { orgID, db: target.database };
  const { content } = (await readIfThere(target, schema, "/api/v2/dbrps", parameters)) ?? { content: [] };
  return content.filter(({ virtual, database }) => !virtual && database === target.database);
}

/** Lists the tasks of a name. */
export async function listTasks({ target, orgID }: ServerV2, name: string): Promise<string[]> {
  const found = await readIfThere(target, tasksSchema, "/api/v2/tasks", { orgID, name });
  return (found?.tasks ?? []).map(({ id }) => id);
}
