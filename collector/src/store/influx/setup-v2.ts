import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";
import { hourUs } from "../retention.js";
import type { SetupPlan, SetupStep } from "../setup-plan.js";
import { buildCopyFlux, buildRollupFlux, taskName } from "./flux.js";
import { type Place, places } from "./rollup.js";
import { askApi, nameBucket, runFlux } from "./server.js";
import type { SetupWish } from "./setup-wish.js";

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

export async function planSetupV2(wish: SetupWish): Promise<Pick<SetupPlan, "steps" | "notes">> {
  const { target, retention, nowUs } = wish;
  const { database, org } = target;
  const read = async <T>(schema: z.ZodType<T>, path: string, parameters: Record<string, string>): Promise<T> => {
    const body = await askApi(target, "GET", path, { parameters });
    try {
      return schema.parse(JSON.parse(body));
    } catch (cause) {
      throw new FleetmarkError(
        "STORE_FAILED",
        `InfluxDB at ${target.url}: ${path} answered something else: ${errorMessage(cause)}`,
        {
          cause,
        },
      );
    }
  };
  const steps: SetupStep[] = [];
  const add = (what: string, request: string, run: () => Promise<unknown>, deletes = false): void => {
    steps.push({
      what,
      request,
      deletes,
      run: async () => {
        await run();
      },
    });
  };

  if (org === "") throw new FleetmarkError("CONFIG_INVALID", `${target.url} is InfluxDB 2.x: store.org: is needed there`);
  const orgID = (await read(orgsSchema, "/api/v2/orgs", { org })).orgs[0]?.id;
  if (orgID === undefined) {
    throw new FleetmarkError(
      "STORE_FAILED",
      `InfluxDB at ${target.url}: it has no organisation ${JSON.stringify(org)} that these credentials see; correct store.org`,
    );
  }

  const findBucket = async (name: string): Promise<Bucket | undefined> =>
    (await read(bucketsSchema, "/api/v2/buckets", { orgID, name })).buckets[0];
  const kept: readonly (readonly [place: Place | undefined, policy: string, seconds: number])[] = [
    [undefined, "autogen", retention.raw],
    ["records", places.records, retention.records],
    ["hourly", places.hourly, retention.hourly],
  ];
  const mappings = (await read(mappingsSchema, "/api/v2/dbrps", { orgID, db: database })).content.filter(
    (mapping) => mapping.virtual !== true,
  );
  const own = await findBucket(database);
  const shortening: (() => void)[] = [];
  for (const [place, policy, seconds] of kept) {
    const name = nameBucket(database, place);
    const bucket = place === undefined ? own : await findBucket(name);
    if (bucket === undefined) {
      const body = { orgID, name, retentionRules: toRules(seconds) };
      add(`create the bucket ${name}`, `POST /api/v2/buckets ${JSON.stringify(body)}`, () =>
        askApi(target, "POST", "/api/v2/buckets", { body }),
      );
    } else if (readKeptS(bucket) !== seconds) {
      const body = { retentionRules: toRules(seconds) };
      const path = `/api/v2/buckets/${bucket.id}`;
      // What deletes comes last.
      shortening.push(() =>
        add(
          `change how long the bucket ${name} keeps`,
          `PATCH ${path} ${JSON.stringify(body)}`,
          () => askApi(target, "PATCH", path, { body }),
          seconds < readKeptS(bucket),
        ),
      );
    }
    // The mapping that a bucket has by its name alone does not count: with mappings of its own, a database needs all of them written down.
    if (!mappings.some((mapping) => mapping.retention_policy === policy)) {
      const shown = {
        orgID,
        bucketID: bucket?.id ?? `(of ${name})`,
        database,
        retention_policy: policy,
        default: place === undefined,
      };
      add(
        `map ${database}/${policy} to the bucket ${name}, for InfluxQL`,
        `POST /api/v2/dbrps ${JSON.stringify(shown)}`,
        async () => {
          const bucketID = (await findBucket(name))?.id;
          await askApi(target, "POST", "/api/v2/dbrps", { body: { ...shown, bucketID } });
        },
      );
    }
  }

  const flux = buildRollupFlux({ database, org });
  const task = (await read(tasksSchema, "/api/v2/tasks", { orgID, name: taskName(database) })).tasks[0];
  if (task?.flux.trim() !== flux.trim()) {
    if (own !== undefined) {
      const endUs = Math.floor(nowUs / hourUs) * hourUs;
      const keptUs = retention.hourly === Number.POSITIVE_INFINITY ? endUs : retention.hourly * 1e6;
      const range = { startUs: Math.max(0, Math.ceil((nowUs - keptUs) / hourUs) * hourUs), endUs };
      for (const [what, query] of [
        ["copy the records that are there already", buildCopyFlux({ database, org }, retention.records)],
        ["roll up the telemetry that is there already", buildRollupFlux({ database, org, range })],
      ]) {
        add(what, `POST /api/v2/query ${query}`, () => runFlux(target, query));
      }
    }
    const [method, path] =
      task === undefined ? ["POST" as const, "/api/v2/tasks"] : ["PATCH" as const, `/api/v2/tasks/${task.id}`];
    add("roll telemetry up by hour, every night", `${method} ${path} ${flux}`, () =>
      askApi(target, method, path, { body: task === undefined ? { orgID, flux, status: "active" } : { flux } }),
    );
  }
  for (const shorten of shortening) shorten();
  return { steps, notes: [] };
}
