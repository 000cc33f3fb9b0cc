import { verdicts } from "@fleetmark/shared/judgement/verdict";
import { aggregates } from "@fleetmark/shared/model/aggregates";
import { categories } from "@fleetmark/shared/model/result";
import { parseDuration } from "@fleetmark/shared/model/units";
import { alertStates } from "@fleetmark/shared/records/alert";
import { z } from "zod";
import { pageShape } from "./pages.js";
import { parseMoment } from "./time-range.js";

/**
 * What the endpoints may be asked. Unknown parameters are errors: a misspelt filter must not answer with everything.
 */

const host = z.string().min(1).describe("name of a host");
const run = z.string().min(1).describe("id of a run");

const momentPattern = "RFC 3339 (2026-01-31T12:00:00Z), relative to now (-1h), or now";

const moment = z.string().refine((text) => parseMoment(text, 0) !== undefined, { message: `must be ${momentPattern}` });

const tag = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*=/, "must be key=value");

const tags = z
  .union([tag, z.array(tag)])
  .default([])
  .describe("key=value that the series carry; may be repeated");

const beforeUs = z.coerce.number().int().nonnegative();
const limit = z.coerce.number().int().min(1).max(1000).default(100);

/** Reads tags given as `key=value`, with the host beside them. */
export function readTags(given: z.infer<typeof tags>, host: string | undefined): Record<string, string> {
  const read = Object.fromEntries(
    [given].flat().map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
  );
  return host === undefined ? read : { ...read, host };
}

export const noQuery = z.strictObject({});

export const hostsQuery = z.strictObject(pageShape);

export const runsQuery = z.strictObject({
  host: host.optional(),
  before_us: beforeUs.describe("those that ended before this time_us: the last one of a page leads to the next").optional(),
  limit: limit.describe("the most runs that are answered"),
});

export const recordsQuery = z.strictObject({
  host: host.optional(),
  tags: tags.describe("key=value that the records carry as tags; may be repeated"),
  run: run.describe("those of this run").optional(),
  before_us: beforeUs.describe("those of before this time_us: the last one of a page leads to the next").optional(),
  limit: limit.describe("the most records that are answered"),
});

export const resultsQuery = z.strictObject({
  host: host.optional(),
  run: run.optional(),
  suite: z.string().min(1).optional(),
  category: z.enum(categories).optional(),
  benchmark: z.string().min(1).describe("name of a workload").optional(),
  ...pageShape,
});

export const kpisQuery = z.strictObject({ host: host.optional(), run: run.optional(), ...pageShape });

export const verdictsQuery = z.strictObject({
  host: host.optional(),
  hw_class: z.string().min(1).describe("a hardware class").optional(),
  benchmark: z.string().min(1).describe("name of a workload").optional(),
  verdict: z.enum(verdicts).optional(),
  ...pageShape,
});

export const alertsQuery = z.strictObject({ state: z.enum(alertStates).optional(), host: host.optional(), ...pageShape });

export const baselinesQuery = z.strictObject({ host: host.optional(), ...pageShape });

export const seriesQuery = z.strictObject({
  measurement: z.string().min(1),
  field: z.string().min(1),
  host: host.optional(),
  tags,
  from: moment.default("-1h").describe(`start, inclusive: ${momentPattern}`),
  to: moment.default("now").describe(`end, exclusive: ${momentPattern}`),
  bucket: z
    .string()
    .min(2)
    .refine((text) => (parseDuration(text) ?? 0) > 0, { message: "must be a duration such as 10s, 5m or 1h30m" })
    .optional()
    .describe(
      "width of a bucket, such as 10s or 5m; by default a 300th of the range, at least 1s, and wider where many series match",
    ),
  aggregate: z.enum(aggregates).default("mean").describe("what becomes of the samples of one bucket"),
});

export const seriesNamesQuery = z.strictObject({ measurement: z.string().min(1).optional(), ...pageShape });
