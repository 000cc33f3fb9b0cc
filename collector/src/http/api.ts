import { FleetmarkError } from "@fleetmark/shared/errors";
import { type KpiReading, readKpis } from "@fleetmark/shared/model/kpis";
import type { Result } from "@fleetmark/shared/model/result";
import { parseDuration } from "@fleetmark/shared/model/units";
import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import type { Fleet, HostState } from "../fleet/fleet.js";
import { readClockUs } from "../platform/clock.js";
import type { HistoryQuery, HostRecord, ResultFilter, StoreReader } from "../store/store.js";
import { hostsAnswer, kpisAnswer, resultsAnswer, runsAnswer, seriesAnswer, seriesNamesAnswer } from "./answers.js";
import { kpisQuery, noQuery, resultsQuery, runsQuery, seriesNamesQuery, seriesQuery } from "./queries.js";
import { addRoute } from "./route.js";
import { parseMoment } from "./time-range.js";

/** The most points that a history may hold: 50 000 points are about a megabyte of JSON. */
const maxPoints = 50_000;
const defaultBuckets = 300;

type HostAnswer = z.infer<typeof hostsAnswer>[number];

/** Joins what is stored of the hosts with what the collector knows of them now. */
function describeHosts(stored: readonly HostRecord[], fleet: Fleet): HostAnswer[] {
  const names = new Set([...stored.map(({ host }) => host), ...fleet.names()]);
  const records = new Map(stored.map((record) => [record.host, record]));
  return [...names].sort().map((host) => describeHost(host, records.get(host), fleet.get(host)));
}

function describeHost(host: string, record: HostRecord | undefined, state: HostState | undefined): HostAnswer {
  const hello = state?.hello;
  return {
    host,
    version: hello?.version ?? record?.version ?? "",
    hw_class: hello?.hwClass ?? record?.hw_class ?? "",
    inventory: hello === undefined ? (record?.inventory ?? {}) : JSON.parse(hello.inventoryJson),
    last_seen_us: Math.max(state?.lastSeenUs ?? 0, record?.last_seen_us ?? 0),
    attached: state?.attached ?? false,
    attached_since_us: state?.attached === true ? state.attachedSinceUs : null,
    progress: state?.progress ?? null,
    batches_received: state?.counters.batches_received ?? 0,
    batches_rejected: state?.counters.batches_rejected ?? 0,
    samples_refused: state?.counters.samples_refused ?? 0,
  };
}

async function findResults(store: StoreReader, filter: ResultFilter & { readonly run?: string }): Promise<Result[]> {
  const { run, ...rest } = filter;
  if (run === undefined) return store.latestResults(rest);
  const results = await store.resultsOfRun(run);
  return results.filter((result) => {
    return Object.entries(rest).every(([key, value]) => value === undefined || result[key as keyof ResultFilter] === value);
  });
}

interface HostKpis {
  readonly host: string;
  readonly hw_class: string;
  readonly run: string | null;
  readonly kpis: KpiReading[];
}

/** Folds results into the KPIs of each host. Results come newest first, so the first one tells the host's hardware class. */
function foldKpis(results: readonly Result[], run: string | undefined): HostKpis[] {
  const byHost = new Map<string, Result[]>();
  for (const result of results) byHost.set(result.host, [...(byHost.get(result.host) ?? []), result]);
  return [...byHost]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, own]) => ({ host, hw_class: own[0].hw_class, run: run ?? null, kpis: readKpis(own) }));
}

function refuse(message: string): never {
  throw new FleetmarkError("REQUEST_INVALID", message);
}

/** Turns the parameters of a history into the store's terms, within bounds. */
function planHistory(query: z.infer<typeof seriesQuery>, nowUs: number): HistoryQuery {
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
  const tags = Object.fromEntries(
    [query.tags].flat().map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
  );
  return {
    measurement,
    field,
    tags: host === undefined ? tags : { ...tags, host },
    fromUs,
    toUs,
    bucketUs,
    aggregate,
    maxPoints,
  };
}

/** Adds the endpoints under /api/v1. */
export function addApi(app: FastifyInstance, store: StoreReader, fleet: Fleet): void {
  addRoute(app, {
    path: "/api/v1/hosts",
    summary: "The hosts of the fleet: whether they are attached, when they were last heard of, and the run under way",
    query: noQuery,
    answers: { 200: hostsAnswer },
    answer: async () => describeHosts(await store.hosts(), fleet),
  });
  addRoute(app, {
    path: "/api/v1/runs",
    summary: "Runs that have ended, the newest first",
    query: runsQuery,
    answers: { 200: runsAnswer },
    answer: ({ host, limit, before_us }) => store.runs({ host, limit, beforeUs: before_us }),
  });
  addRoute(app, {
    path: "/api/v1/results",
    summary: "Results of a run, or without one the latest result of each benchmark on each host",
    query: resultsQuery,
    answers: { 200: resultsAnswer },
    answer: (query) => findResults(store, query),
  });
  addRoute(app, {
    path: "/api/v1/kpis",
    summary: "The key performance indicators of each host, of a run or of the latest result of each benchmark",
    query: kpisQuery,
    answers: { 200: kpisAnswer },
    answer: async (query) => foldKpis(await findResults(store, query), query.run),
  });
  addRoute(app, {
    path: "/api/v1/series",
    summary: "History of a field, by series and time bucket",
    query: seriesQuery,
    answers: { 200: seriesAnswer },
    answer: async (query) => {
      const plan = planHistory(query, readClockUs());
      const { measurement, field, fromUs: from_us, toUs: to_us, bucketUs: bucket_us, aggregate } = plan;
      return { measurement, field, from_us, to_us, bucket_us, aggregate, series: await store.history(plan) };
    },
  });
  addRoute(app, {
    path: "/api/v1/series/names",
    summary: "The series that are stored, of one measurement or of all",
    query: seriesNamesQuery,
    answers: { 200: seriesNamesAnswer },
    answer: (query) => store.listSeries(query.measurement),
  });
}
