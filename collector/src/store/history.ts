import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import { canonicalTags } from "@fleetmark/shared/model/series";
import { hourUs } from "./retention.js";
import type { HistoryQuery, SeriesHistory } from "./store.js";

/** The two forms in which a store holds telemetry. */
export interface HistorySources {
  samples(query: HistoryQuery): Promise<SeriesHistory[]>;
  /** Samples rolled up by hour: an hour stands at its start, and a bucket combines the hours that begin in it. */
  hours(query: HistoryQuery): Promise<SeriesHistory[]>;
}

/** What a bucket of several hours takes from each; other aggregates are found among the values of their own kind. */
interface Hour {
  readonly timeUs: number;
  readonly value: number;
  readonly samples: number;
}

const combineHours: Readonly<Record<Aggregate, (hours: readonly Hour[]) => number>> = {
  mean: (hours) => sum(hours.map(({ value, samples }) => value * samples)) / sum(hours.map(({ samples }) => samples)),
  min: (hours) => Math.min(...hours.map(({ value }) => value)),
  max: (hours) => Math.max(...hours.map(({ value }) => value)),
  last: (hours) => hours.reduce((last, hour) => (hour.timeUs >= last.timeUs ? hour : last)).value,
  count: (hours) => sum(hours.map(({ value }) => value)),
  p50: (hours) => findMedian(hours.map(({ value }) => value)),
  p95: (hours) => findRank95(hours.map(({ value }) => value)),
};

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sort(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function findMedian(values: readonly number[]): number {
  const sorted = sort(values);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

/** Nearest rank, as InfluxQL's percentile() counts it. */
function findRank95(values: readonly number[]): number {
  return sort(values)[Math.max(0, Math.floor(values.length * 0.95 + 0.5) - 1)];
}

/** @throws FleetmarkError REQUEST_INVALID when there are more points than the query allows */
export function checkPoints(points: number, { maxPoints }: Pick<HistoryQuery, "maxPoints">): void {
  if (points <= maxPoints) return;
  throw new FleetmarkError("REQUEST_INVALID", `the answer holds over ${maxPoints} points; ask for fewer series or wider buckets`);
}

/** Joins histories of ranges that follow each other. */
export function joinHistories(ranges: readonly SeriesHistory[][]): SeriesHistory[] {
  const joined = new Map<string, { tags: SeriesHistory["tags"]; points: (readonly [number, number])[] }>();
  for (const { tags, points } of ranges.flat()) {
    const key = canonicalTags(tags);
    const found = joined.get(key) ?? { tags, points: [] };
    for (const point of points) found.points.push(point);
    joined.set(key, found);
  }
  return [...joined.values()];
}

/** Answers the one bucket that begins with hours and ends with samples, by rolling up its samples as the rest was. */
async function readEdge(sources: HistorySources, query: HistoryQuery, horizonUs: number): Promise<SeriesHistory[]> {
  const ask = async (aggregate: Aggregate): Promise<SeriesHistory[]> => {
    const byHour = { ...query, aggregate, bucketUs: hourUs, maxPoints: Number.MAX_SAFE_INTEGER - 1 };
    return joinHistories([
      await sources.hours({ ...byHour, toUs: horizonUs }),
      await sources.samples({ ...byHour, fromUs: horizonUs }),
    ]);
  };
  const counts = new Map<string, number>();
  const keyOf = (tags: SeriesHistory["tags"], timeUs: number): string => `${timeUs} ${canonicalTags(tags)}`;
  if (query.aggregate === "mean") {
    for (const { tags, points } of await ask("count")) for (const [time, count] of points) counts.set(keyOf(tags, time), count);
  }
  const bucketStart = Math.floor(query.fromUs / query.bucketUs) * query.bucketUs;
  return (await ask(query.aggregate)).map(({ tags, points }) => {
    const hours = points.map(([timeUs, value]) => ({ timeUs, value, samples: counts.get(keyOf(tags, timeUs)) ?? 1 }));
    return { tags, points: [[bucketStart, combineHours[query.aggregate](hours)]] };
  });
}

/**
 * Answers from hours where these say the same as the samples that are there still, for a three hundredth of the work:
 * whole buckets of whole hours, and of percentiles those of one hour.
 * @param finalUs a full hour before which all hours are rolled up
 */
export async function readFinalHours(sources: HistorySources, query: HistoryQuery, finalUs: number): Promise<SeriesHistory[]> {
  const { fromUs, toUs, bucketUs, aggregate } = query;
  const isPercentile = aggregate === "p50" || aggregate === "p95";
  const startUs = Math.ceil(fromUs / bucketUs) * bucketUs;
  const endUs = Math.floor(Math.min(finalUs, toUs) / bucketUs) * bucketUs;
  if (bucketUs % hourUs !== 0 || (isPercentile && bucketUs !== hourUs) || startUs >= endUs) return sources.samples(query);
  const ranges = await Promise.all([
    fromUs < startUs ? sources.samples({ ...query, toUs: startUs }) : [],
    sources.hours({ ...query, fromUs: startUs, toUs: endUs }),
    endUs < toUs ? sources.samples({ ...query, fromUs: endUs }) : [],
  ]);
  const histories = joinHistories(ranges);
  checkPoints(sum(histories.map(({ points }) => points.length)), query);
  return histories;
}

/**
 * Answers a history from samples, and from hours before the horizon, where samples are gone.
 * @param horizonUs a full hour
 * @throws FleetmarkError REQUEST_INVALID when the answer holds more than maxPoints
 */
export async function readHistoryAcross(
  sources: HistorySources,
  query: HistoryQuery,
  horizonUs: number,
): Promise<SeriesHistory[]> {
  const { fromUs, toUs, bucketUs } = query;
  if (fromUs >= horizonUs) return sources.samples(query);
  if (toUs <= horizonUs) return sources.hours(query);
  const edgeStart = Math.max(fromUs, Math.floor(horizonUs / bucketUs) * bucketUs);
  const edgeEnd = Math.min(toUs, Math.ceil(horizonUs / bucketUs) * bucketUs);
  const ranges: SeriesHistory[][] = [];
  if (fromUs < edgeStart) ranges.push(await sources.hours({ ...query, toUs: edgeStart }));
  if (edgeStart < edgeEnd) ranges.push(await readEdge(sources, { ...query, fromUs: edgeStart, toUs: edgeEnd }, horizonUs));
  if (edgeEnd < toUs) ranges.push(await sources.samples({ ...query, fromUs: edgeEnd }));
  const histories = joinHistories(ranges);
  checkPoints(sum(histories.map(({ points }) => points.length)), query);
  return histories;
}
