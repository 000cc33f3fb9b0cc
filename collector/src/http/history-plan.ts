import { FleetmarkError } from "@fleetmark/shared/errors";
import { parseDuration } from "@fleetmark/shared/model/units";
import type { z } from "zod";
import type { HistoryQuery } from "../store/store.js";
import { readTags, type seriesQuery } from "./queries.js";
import { parseMoment } from "./time-range.js";

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
