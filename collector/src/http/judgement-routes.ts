import { baselinesAnswer, errorAnswer, verdictMarksAnswer, verdictsAnswer } from "@fleetmark/shared/api/answers";
import { marks } from "@fleetmark/shared/judgement/error-rate";
import { resultSchema } from "@fleetmark/shared/model/result";
import { baselineActions } from "@fleetmark/shared/records/baseline";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { z } from "zod";
import type { Baselines } from "../judge/baselines.js";
import { type MarksOptions, markVerdicts } from "../judge/marks.js";
import type { RecordOptions } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";
import { takePage } from "./routing/pages.js";
import { baselinesQuery, noQuery, verdictsQuery } from "./routing/queries.js";
import { addRoute, type Router } from "./routing/route.js";

/** A thousand results of elsewhere, three kilobytes each. */
const mostImportedBytes = 4 * 2 ** 20;

const baselineOrder = z.strictObject({
  action: z.enum(baselineActions),
  host: z.string().min(1).max(255),
  name: z.string().min(1).max(1000).optional().describe("the full name of a benchmark; all where it is left out"),
  run: z.string().min(1).max(200).optional().describe("the run whose results are pinned; default: the latest of each benchmark"),
  imported: z
    .strictObject({ results: z.array(resultSchema).min(1).max(1000), environment: z.record(z.string(), z.string()).default({}) })
    .optional()
    .describe("results of elsewhere that are pinned, and what their host was like"),
  reason: z.string().min(1).max(2000),
});

const markOrder = z.strictObject({
  mark: z.enum(marks),
  host: z.string().min(1).max(255),
  name: z.string().min(1).max(1000).optional().describe("the full name of a benchmark; all that were called slower without it"),
  run: z.string().min(1).max(200).optional().describe("the run that is meant; default: the latest verdict of each benchmark"),
  reason: z.string().min(1).max(2000),
});

function addMarkRoute(router: Router, options: MarksOptions): void {
  addRoute(router, {
    method: "POST",
    path: "/api/v1/verdict-marks",
    summary: "Says of regressions that they were none, or that they were some",
    role: "operate",
    query: noQuery,
    body: markOrder,
    answers: { 200: verdictMarksAnswer, 404: errorAnswer },
    answer: ({ body, caller }) => markVerdicts(options, body, caller.name),
  });
}

/** What people decide of the judgement of results. */
export interface Deciding {
  readonly baselines: Baselines;
  readonly records: RecordOptions;
}

/** Adds the endpoints of verdicts and of what they are made against. */
export function addJudgementRoutes(router: Router, store: StoreReader, { baselines, records }: Deciding): void {
  addMarkRoute(router, { store, records });
  addRoute(router, {
    path: "/api/v1/verdicts",
    summary: "The latest verdict of each benchmark on each host",
    query: verdictsQuery,
    answers: { 200: verdictsAnswer },
    answer: async ({ query }, reply) => {
      const { limit, offset, verdict, ...tags } = query;
      const found = await store.readLatest(verdictRecord, tags);
      return takePage(
        found.filter((each) => verdict === undefined || each.verdict === verdict),
        { limit, offset },
        reply,
      );
    },
  });
  addRoute(router, {
    path: "/api/v1/baselines",
    summary: "What was decided of baselines: what is pinned, and which levels were accepted",
    query: baselinesQuery,
    answers: { 200: baselinesAnswer },
    answer: async ({ query }, reply) => takePage(await baselines.list(query.host), query, reply),
  });
  addRoute(router, {
    method: "POST",
    path: "/api/v1/baselines",
    summary: "Pins results as the baseline, lets go of them, or accepts the level that benchmarks are at",
    role: "operate",
    query: noQuery,
    body: baselineOrder,
    maxBodyBytes: mostImportedBytes,
    answers: { 200: baselinesAnswer, 404: errorAnswer },
    answer: ({ body, caller }) => baselines.decide(body, caller.name),
  });
}
