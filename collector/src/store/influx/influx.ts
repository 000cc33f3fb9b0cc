import type { Batch } from "@fleetmark/shared/batch";
import type { Store } from "../store.js";
import { rememberBatch, type StoredBatches, selectNew } from "../stored-batches.js";
import { formatLines } from "./line-protocol.js";
import {
  deliveryMeasurement,
  listSeries,
  readHistory,
  readHosts,
  readLatestResults,
  readResultsOfRun,
  readRuns,
} from "./reads.js";
import { connectInflux, type InfluxServer, type InfluxTarget } from "./server.js";

/** Lines in one request: where the client's and the server's cost per line no longer falls. */
const blockLines = 5000;

/** Told of each line that the server will never store, with its reason, before the others are acknowledged. */
export type RefuseLine = (line: string, reason: string) => Promise<void>;

/**
 * Opens a store on an InfluxDB server. A repeated batch changes nothing: a point is its measurement, tags and time. Nothing is asked of
 * the server before the first write or question, so that a collector starts while its store is away.
 */
export function openInfluxStore(target: InfluxTarget, refuseLine: RefuseLine): Store {
  const server = connectInflux(target);
  // What this process has stored: after a restart a repetition is written again, over itself.
  const stored: StoredBatches = new Map();
  return {
    write: async (batches, receivedUs) => {
      const fresh = selectNew(stored, batches);
      if (fresh.length === 0) return [];
      const lines = [...formatLines(fresh), ...formatDeliveries(fresh, receivedUs)];
      for (let start = 0; start < lines.length; start += blockLines) {
        await writeBlock(server, lines.slice(start, start + blockLines), refuseLine);
      }
      for (const { id } of fresh) rememberBatch(stored, id);
      return fresh;
    },
    history: (query) => readHistory(server, query),
    latestResults: (filter) => readLatestResults(server, filter),
    resultsOfRun: (run) => readResultsOfRun(server, run),
    runs: (filter) => readRuns(server, filter),
    hosts: () => readHosts(server),
    listSeries: (measurement) => listSeries(server, measurement),
    close: () => server.close(),
  };
}

/** When each host was last heard of: one line a host, at the moment of receipt. */
function formatDeliveries(batches: readonly Batch[], receivedUs: number): string[] {
  const hosts = [...new Set(batches.map(({ id }) => id.host))];
  const series = hosts.map((host) => ({ measurement: deliveryMeasurement, tags: { host }, field: "received_us" }));
  const numbers = {
    series: hosts.map((_, i) => i),
    timeUs: hosts.map(() => receivedUs),
    values: hosts.map(() => receivedUs),
  };
  return formatLines([{ id: batches[0].id, series, numbers, texts: { series: [], timeUs: [], values: [] } }]);
}

/** Writes lines; halves what is too large or partly refused until the lines at fault are alone. Written twice, a line changes nothing. */
async function writeBlock(server: InfluxServer, lines: readonly string[], refuseLine: RefuseLine): Promise<void> {
  const outcome = await server.write(lines);
  if (outcome.kind === "committed") return;
  if (lines.length === 1) {
    await refuseLine(lines[0], outcome.kind === "refused" ? outcome.reason : "larger than the server takes");
    return;
  }
  const middle = Math.ceil(lines.length / 2);
  await writeBlock(server, lines.slice(0, middle), refuseLine);
  await writeBlock(server, lines.slice(middle), refuseLine);
}
