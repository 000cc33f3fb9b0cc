import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Series } from "@fleetmark/shared/model/series";
import { parseDuration } from "@fleetmark/shared/model/units";
import type { z } from "zod";
import type { HistoryQuery } from "../store/store.js";
import { readTags, type seriesQuery } from "./routing/queries.js";
import { parseMoment } from "./routing/time-range.js";

/** The most points that a history may hold: 50 000 points are about a megabyte of JSON. */
const maxPoints = 50_000;
const defaultBuckets = 300;

function refuse(message: string): never {
  throw new FleetmarkError("REQUEST_INVALID", message);
}

/** Turns the parameters of a history into the store's terms, within bounds. */
export function planHistory(query: z.infer<typeof seriesQuery>, nowUs: number): HistoryQuery {
  const { measurement, field, host, aggregate } = query;
  const fromUs = parseMoment(query.from, nowUs) as number;
  const toUs = parseMoment(query.to, nowUs) as number;
  if (fromUs >= toUs) refuse("from: must lie before to");
  if (fromUs < 0) refuse("from: must not lie before 1970");
  const bucketS =
    query.bucket === undefined ? Math.max(1, Math.ceil((toUs - fromUs) / 1e6 / defaultBuckets)) : parseDuration(query.bucket);
  const bucketUs = Math.max(1, Math.round((bucketS as number) * 1e6));
  const buckets = Math.ceil((toUs - fromUs) / bucketUs);
  if (buckets > maxPoints) refuse(`bucket: the range holds ${buckets} buckets of that width (the limit is ${maxPoints})`);
  return {
    measurement,
    field,
    tags: readTags(query.tags, host),
    fromUs,
    toUs,
    bucketUs,
    aggregate,
    maxPoints,
  };
}

/** Makes buckets as wide as it takes for every series that matches to find room in the answer. */
export function widenBuckets(plan: HistoryQuery, stored: readonly Series[]): HistoryQuery {
  const wanted = Object.entries(plan.tags);
  const count = stored.filter(
    ({ field, tags }) => field === plan.field && wanted.every(([key, value]) => tags[key] === value),
  ).length;
  const rangeUs = plan.toUs - plan.fromUs;
  // One more than fits the range, for the first and the last may be cut.
  const buckets = Math.floor(plan.maxPoints / Math.max(1, count)) - 1;
  if (buckets < 1) refuse(`${count} series match: name tags or a host, so that at most ${maxPoints / 2} do`);
  return { ...plan, bucketUs: Math.max(plan.bucketUs, Math.ceil(rangeUs / buckets / 1e6) * 1e6) };
}
