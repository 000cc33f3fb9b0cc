import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { recordKinds } from "@fleetmark/shared/records/registry";
import { z } from "zod";
import { findRecordsOfRun } from "../store/run-records.js";
import type { StoreReader } from "../store/store.js";
import { readTags, recordsQuery } from "./routing/queries.js";
import { addRoute, type Router } from "./routing/route.js";

async function findRecords<R>(
  store: StoreReader,
  kind: RecordKind<R>,
  query: z.infer<typeof recordsQuery>,
): Promise<readonly R[]> {
  const { run, limit, before_us: beforeUs } = query;
  const tags = readTags(query.tags, query.host);
  if (run === undefined) return store.readNewest(kind, { tags, beforeUs, limit });
  const found = await findRecordsOfRun(store, kind, run, tags);
  return found.filter((record) => beforeUs === undefined || kind.toPoint(record).timeUs < beforeUs).slice(0, limit);
}

/** Adds an endpoint for each kind of record. */
export function addRecordRoutes(router: Router, store: StoreReader): void {
  for (const kind of recordKinds) {
    addRoute(router, {
      path: `/api/v1/records/${kind.measurement}`,
      summary: `Records of ${kind.measurement}, the newest first`,
      query: recordsQuery,
      answers: { 200: z.array(kind.schema) },
      answer: ({ query }) => findRecords(store, kind, query),
    });
  }
}
