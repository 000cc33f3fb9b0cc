import {
  hostsAnswer,
  kpisAnswer,
  resultsAnswer,
  runsAnswer,
  seriesAnswer,
  seriesNamesAnswer,
} from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { ageKpis } from "@fleetmark/shared/judgement/freshness";
import { foldHostKpis } from "@fleetmark/shared/model/host-kpis";
import type { Kpi } from "@fleetmark/shared/model/kpis";
import { runRecord } from "@fleetmark/shared/records/run";
import type { Fleet } from "../fleet/fleet.js";
import { readClockUs } from "../platform/clock.js";
import { readHosts } from "../store/hosts.js";
import { findResults } from "../store/run-records.js";
import type { HistoryQuery, StoreReader } from "../store/store.js";
import { planHistory, widenBuckets } from "./history-plan.js";
import { describeHosts } from "./host-answers.js";
import { addRecordRoutes } from "./record-routes.js";
import { takePage } from "./routing/pages.js";
import { hostsQuery, kpisQuery, resultsQuery, runsQuery, seriesNamesQuery, seriesQuery } from "./routing/queries.js";
import { addRoute, type Router } from "./routing/route.js";

function addFleetRoutes(router: Router, store: StoreReader, fleet: Fleet, kpis?: readonly Kpi[]): void {
  addRoute(router, {
    path: "/api/v1/hosts",
    summary: "The hosts of the fleet: whether they are attached, when they were last heard of, and the run under way",
    query: hostsQuery,
    answers: { 200: hostsAnswer },
    answer: async ({ query }, reply) => takePage(describeHosts(await readHosts(store), fleet), query, reply),
  });
  addRoute(router, {
    path: "/api/v1/runs",
    summary: "Runs that have ended, the newest first",
    query: runsQuery,
    answers: { 200: runsAnswer },
    answer: ({ query }) => {
      const { host, limit, before_us } = query;
      return store.readNewest(runRecord, { tags: { host }, limit, beforeUs: before_us });
    },
  });
  addRoute(router, {
    path: "/api/v1/results",
    summary: "Results of a run, or without one the latest result of each benchmark on each host",
    query: resultsQuery,
    answers: { 200: resultsAnswer },
    answer: async ({ query }, reply) => {
      const { limit, offset, ...filter } = query;
      return takePage(await findResults(store, filter), { limit, offset }, reply);
    },
  });
  addRoute(router, {
    path: "/api/v1/kpis",
    summary: "The key performance indicators of each host, of a run or of the latest result of each benchmark",
    query: kpisQuery,
    answers: { 200: kpisAnswer },
    answer: async ({ query }, reply) => {
      const { limit, offset, ...filter } = query;
      const folded = foldHostKpis(await findResults(store, filter), query.run, kpis);
      const nowUs = readClockUs();
      const aged = folded.map((each) => ({ ...each, kpis: ageKpis(each.kpis, nowUs) }));
      return takePage(aged, { limit, offset }, reply);
    },
  });
}

/** Reads a history; where nobody has said how wide its buckets are, they become as wide as it takes. */
async function readHistory(store: StoreReader, plan: HistoryQuery, mayWiden: boolean) {
  try {
    return { plan, series: await store.history(plan) };
  } catch (thrown) {
    if (!mayWiden || !(thrown instanceof FleetmarkError && thrown.code === "REQUEST_INVALID")) throw thrown;
    const wider = widenBuckets(plan, await store.listSeries(plan.measurement));
    return { plan: wider, series: await store.history(wider) };
  }
}

function addSeriesRoutes(router: Router, store: StoreReader): void {
  addRoute(router, {
    path: "/api/v1/series",
    summary: "History of a field, by series and time bucket",
    query: seriesQuery,
    answers: { 200: seriesAnswer },
    answer: async ({ query }) => {
      const { plan, series } = await readHistory(store, planHistory(query, readClockUs()), query.bucket === undefined);
      const { measurement, field, fromUs: from_us, toUs: to_us, bucketUs: bucket_us, aggregate } = plan;
      return { measurement, field, from_us, to_us, bucket_us, aggregate, series };
    },
  });
  addRoute(router, {
    path: "/api/v1/series/names",
    summary: "The series that are stored, of one measurement or of all",
    query: seriesNamesQuery,
    answers: { 200: seriesNamesAnswer },
    answer: async ({ query }, reply) => takePage(await store.listSeries(query.measurement), query, reply),
  });
}

/** Adds the endpoints under /api/v1. */
export function addApi(router: Router, store: StoreReader, fleet: Fleet, kpis?: readonly Kpi[]): void {
  addFleetRoutes(router, store, fleet, kpis);
  addSeriesRoutes(router, store);
  addRecordRoutes(router, store);
}
