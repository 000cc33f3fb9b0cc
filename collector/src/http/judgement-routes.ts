import { baselinesAnswer, errorAnswer, verdictsAnswer } from "@fleetmark/shared/api/answers";
import { resultSchema } from "@fleetmark/shared/model/result";
import { baselineActions } from "@fleetmark/shared/records/baseline";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { z } from "zod";
import type { Baselines } from "../judge/baselines.js";
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

/** Adds the endpoints of verdicts and of what they are made against. */
export function addJudgementRoutes(router: Router, store: StoreReader, baselines: Baselines): void {
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
