import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import { readClockUs } from "../../platform/clock.js";
import { sortByTags } from "../ordering.js";
import { deliveryMeasurement, findHorizonUs, hourUs, isKeptWhole, isRecord, keepAll, type Retention } from "../retention.js";
import { emptyColumns, selectSamples } from "../samples.js";
import type { Samples, Store } from "../store.js";
import { rememberBatch, type StoredBatches, selectNew } from "../stored-batches.js";
import { createLateHours } from "./late-hours.js";
import { formatLines } from "./line-protocol.js";
import { countsAs, readParts, rollUpRange } from "./parts.js";
import { listSeries, readHistory, readHosts, readLatestResults, readResultsOfRun, readRuns } from "./reads.js";
import { type Place, rollupTimeoutMs } from "./rollup.js";
import { connectInflux, type InfluxServer, type InfluxTarget } from "./server.js";

/** Lines in one request: where the client's and the server's cost per line no longer falls. */
const blockLines = 5000;

/** Samples that come later than this are rolled up by us, for the nightly roll-up may pass them over: it looks back three days. */
const lateAfterS = 2.5 * 86_400;
/** An agent that was away sends what it has in many batches: they are waited for. */
const rollUpLateWithinMs = 60_000;

/** The nightly roll-up looks back three days, and has done so a night later. */
const finalAfterS = 4.5 * 86_400;

/** Told of each line that the server will never store, with its reason, before the others are acknowledged. */
export type RefuseLine = (line: string, reason: string) => Promise<void>;

/** What a store on a server is opened with, besides where it is. */
export interface InfluxStoreOptions {
  /** How long the server keeps things, which tells where history is read rolled up. For ever unless it is given. */
  readonly retention?: Retention;
  /** The clock, microseconds since the Unix epoch. */
  readonly now?: () => number;
}

/**
 * Opens a store on an InfluxDB server. A repeated batch changes nothing: a point is its measurement, tags and time. Nothing is asked of
 * the server before the first write or question, so that a collector starts while its store is away.
 */
export function openInfluxStore(target: InfluxTarget, refuseLine: RefuseLine, options: InfluxStoreOptions = {}): Store {
  const { retention = keepAll, now = readClockUs } = options;
  const server = connectInflux(target);
  const patientTarget = { ...target, timeoutMs: rollupTimeoutMs };
  const patient = connectInflux(patientTarget);
  // What this process has stored: after a restart a repetition is written again, over itself.
  const stored: StoredBatches = new Map();
  const late = createLateHours();
  let timer: NodeJS.Timeout | undefined;
  // An hour later than the last that is kept: that one may go meanwhile.
  const oldestUs = (): number => findHorizonUs(retention.hourly, now()) + hourUs;
  // One after the other: while one is under way, its hours are no longer noted and not yet there.
  let rolling: Promise<void> = Promise.resolve();
  let underWay = 0;
  const rollUpRanges = async (): Promise<void> => {
    const ranges = late.take();
    try {
      while (ranges.length > 0) {
        await rollUpRange(patient, patientTarget, ranges[0], oldestUs());
        ranges.shift();
      }
    } catch (thrown) {
      late.putBack(ranges);
      throw thrown;
    }
  };
  const rollUpLate = (): Promise<void> => {
    underWay++;
    const rolled = rolling.then(rollUpRanges).finally(() => {
      underWay--;
    });
    rolling = rolled.catch(() => {});
    return rolled;
  };
  return {
    write: async (batches, receivedUs) => {
      const fresh = selectNew(stored, batches);
      if (fresh.length === 0) return [];
      await writeBatches(server, [...fresh, buildDeliveries(fresh, receivedUs)], refuseLine);
      for (const { id } of fresh) rememberBatch(stored, id);
      late.note(fresh, now() - lateAfterS * 1e6);
      if (!late.isEmpty() && timer === undefined) {
        timer = setTimeout(() => {
          timer = undefined;
          // What fails is tried again in the night, and told of then.
          rollUpLate().catch(() => {});
        }, rollUpLateWithinMs).unref();
      }
      return fresh;
    },
    history: async (query) => {
      const [horizonUs, finalUs] = [
        findHorizonUs(retention.raw, now()),
        late.isEmpty() && underWay === 0 ? findHorizonUs(finalAfterS, now()) : 0,
      ];
      return sortByTags(await readHistory(server, query, { horizonUs, finalUs }));
    },
    latestResults: (filter) => readLatestResults(server, filter),
    resultsOfRun: (run) => readResultsOfRun(server, run),
    runs: (filter) => readRuns(server, filter),
    hosts: () => readHosts(server),
    listSeries: (measurement) => listSeries(server, measurement),
    read: (filter) => readParts(server, filter, findHorizonUs(retention.raw, now())),
    overwrite: async ({ kind, samples }) => {
      if (kind === "samples") return writeBatches(server, [samples], refuseLine);
      if (!(await server.hasPlace("hourly"))) throw new FleetmarkError("STORE_FAILED", noHours);
      await writeLines(server, formatLines([samples], countsAs(target)), refuseLine, "hourly");
    },
    settle: (range) => rollUpRange(patient, patientTarget, range, oldestUs()),
    // `store setup` has told the server to do all but this.
    retain: async () => {
      await rollUpLate();
      return undefined;
    },
    close: async () => {
      clearTimeout(timer);
      await server.close();
      await patient.close();
    },
  };
}

const noHours = "there is no place for hours that were rolled up: run `fleetmark store setup` first";

/** When each host was last heard of: one point a host and hour, which is written over until the hour is past. */
function buildDeliveries(batches: readonly Batch[], receivedUs: number): Samples {
  const hosts = [...new Set(batches.map(({ id }) => id.host))];
  const series = hosts.map((host) => ({ measurement: deliveryMeasurement, tags: { host }, field: "received_us" }));
  const numbers = {
    series: hosts.map((_, i) => i),
    timeUs: hosts.map(() => receivedUs - (receivedUs % hourUs)),
    values: hosts.map(() => receivedUs),
  };
  return { series, numbers, texts: emptyColumns() };
}

/**
 * Writes batches to the default place, and what is kept longer to its own first, once `store setup` has made that. A server refuses what is
 * older than a place keeps: no loss where the longer one has it.
 */
async function writeBatches(server: InfluxServer, batches: readonly Samples[], refuseLine: RefuseLine): Promise<void> {
  // Telemetry alone is worth no question.
  const isWorth = batches.some(
    ({ series, texts }) => series.some(({ measurement }) => isRecord(measurement)) || texts.series.length > 0,
  );
  const keepsWhole = server.knowsPlace("records") || (isWorth && (await server.hasPlace("records")));
  const kept = keepsWhole ? formatLines(batches.map((batch) => selectSamples(batch, isKeptWhole))) : [];
  await writeLines(server, kept, refuseLine, "records");
  const heads = new Set(kept.map(cutHead));
  await writeLines(server, formatLines(batches), async (line, reason) => {
    if (!(heads.has(cutHead(line)) && /retention policy/i.test(reason))) await refuseLine(line, reason);
  });
}

/** Returns what of a line comes before its fields. */
function cutHead(line: string): string {
  return line.slice(0, /(?<!\\) /.exec(line)?.index);
}

async function writeLines(server: InfluxServer, lines: readonly string[], refuseLine: RefuseLine, place?: Place): Promise<void> {
  for (let start = 0; start < lines.length; start += blockLines) {
    await writeBlock(server, lines.slice(start, start + blockLines), refuseLine, place);
  }
}

/** Writes lines; halves what is too large or partly refused until the lines at fault are alone. Written twice, a line changes nothing. */
async function writeBlock(
  server: InfluxServer,
  lines: readonly string[],
  refuseLine: RefuseLine,
  place: Place | undefined,
): Promise<void> {
  const outcome = await server.write(lines, place);
  if (outcome.kind === "committed") return;
  if (lines.length === 1) {
    await refuseLine(lines[0], outcome.kind === "refused" ? outcome.reason : "larger than the server takes");
    return;
  }
  const middle = Math.ceil(lines.length / 2);
  await writeBlock(server, lines.slice(0, middle), refuseLine, place);
  await writeBlock(server, lines.slice(middle), refuseLine, place);
}
