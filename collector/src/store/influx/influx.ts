import { type Batch, type BatchId, batchKey } from "@fleetmark/shared/batch";
import { addSequence, hasSequence, type SequenceRanges } from "../sequence-ranges.js";
import type { Store } from "../store.js";
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
  const stored = new Map<string, SequenceRanges>();
  return {
    write: async (batches, receivedUs) => {
      const fresh = selectNew(stored, batches);
      if (fresh.length === 0) return [];
      const lines = [...formatLines(fresh), ...formatDeliveries(fresh, receivedUs)];
      for (let start = 0; start < lines.length; start += blockLines) {
        await writeBlock(server, lines.slice(start, start + blockLines), refuseLine);
      }
      for (const { id } of fresh) remember(stored, id);
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

function epochOf({ host, epochUs }: BatchId): string {
  return `${epochUs} ${host}`;
}

function remember(stored: Map<string, SequenceRanges>, id: BatchId): void {
  const ranges = stored.get(epochOf(id)) ?? [];
  addSequence(ranges, id.sequence);
  stored.set(epochOf(id), ranges);
}

/** Leaves out what this process has stored already, and what comes twice. After a restart a repetition is written again, over itself. */
function selectNew(stored: ReadonlyMap<string, SequenceRanges>, batches: readonly Batch[]): Batch[] {
  const inGroup = new Set<string>();
  return batches.filter(({ id }) => {
    const key = batchKey(id);
    if (inGroup.has(key) || hasSequence(stored.get(epochOf(id)) ?? [], id.sequence)) return false;
    inGroup.add(key);
    return true;
  });
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
