import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { readClockUs } from "../../platform/clock.js";
import { sortByTags } from "../ordering.js";
import { findHorizonUs, hourUs, keepAll, type Retention } from "../retention.js";
import type { Chunk, HistoryQuery, RefuseLine, SeriesHistory, Store } from "../store.js";
import { readChunks } from "./chunks.js";
import { readHistory } from "./history.js";
import {
  addLate,
  closeLateRollUp,
  createLateRollUp,
  isPending,
  type LateRollUp,
  resumeLate,
  rollUpEnded,
  rollUpLate,
  rollUpRange,
  startHours,
} from "./late-roll-up.js";
import { createFieldTypes, type FieldTypes, findHourlySuffix, readFieldTypes } from "./lines/field-types.js";
import { formatLines } from "./lines/line-protocol.js";
import { provePlaces, proveServer } from "./proof.js";
import { findByText, readLatest, readNewest, readReceived } from "./records.js";
import { rememberSent, type SentBatches, selectUnsent } from "./sent-batches.js";
import { listSeries } from "./series.js";
import { connectInflux, type InfluxServer } from "./server/connection.js";
import type { InfluxTarget } from "./server/target.js";
import { buildDeliveries, writeBatches, writeLines } from "./writes.js";

/**
 * A store on an InfluxDB server. What is durable is the server's; here is only what this process has sent:
 *
 *   write ─► leave out what was sent before ─► lines ─┬─► policy "records"   what is kept whole, once it is set up
 *                                                     └─► default policy     all of it
 *                                                            └─(each hour from here, or by night)─► policy "hourly"
 *   history ◄─ "hourly" where samples are gone or hours are final, else the default policy
 *   records ◄─ "records" once it is there, else the default policy
 *
 * A point is its measurement, tags and time, so that a batch sent twice changes nothing. Nothing is asked of the
 * server before it is prepared, or asked something.
 */
interface InfluxStore {
  readonly target: InfluxTarget;
  readonly server: InfluxServer;
  readonly refuseLine: RefuseLine;
  readonly retention: Retention;
  readonly now: () => number;
  /** What this process has written of late. */
  readonly sent: SentBatches;
  readonly late: LateRollUp;
  readonly types: FieldTypes;
}

/** The nightly roll-up looks back three days, and has done so a night later. */
const finalAfterS = 4.5 * 86_400;

const noHours = "there is no place for hours that were rolled up: run `fleetmark store setup` first";

/** What a store on a server is opened with, besides where it is. */
export interface InfluxStoreOptions {
  /** How long the server keeps things, which tells where history is read rolled up. For ever unless it is given. */
  readonly retention?: Retention;
  /** The clock, microseconds since the Unix epoch. */
  readonly now?: () => number;
}

async function writeNew(store: InfluxStore, batches: readonly Batch[], receivedUs: number): Promise<Batch[]> {
  const { server, sent, late, types, refuseLine, now } = store;
  const fresh = selectUnsent(sent, batches);
  if (fresh.length === 0) return [];
  await writeBatches(server, types, [...fresh, buildDeliveries(fresh, receivedUs)], refuseLine);
  await addLate(late, fresh, now());
  rememberSent(sent, fresh);
  return fresh;
}

async function readBuckets({ server, late, retention, now }: InfluxStore, query: HistoryQuery): Promise<SeriesHistory[]> {
  const horizonUs = findHorizonUs(retention.raw, now());
  const finalUs = isPending(late) ? 0 : findHorizonUs(finalAfterS, now());
  return sortByTags(await readHistory(server, query, { horizonUs, finalUs }));
}

async function overwriteChunk({ server, target, types, refuseLine }: InfluxStore, { kind, samples }: Chunk): Promise<void> {
  if (kind === "samples") return writeBatches(server, types, [samples], refuseLine);
  if (!(await server.hasPolicy("hourly"))) throw new FleetmarkError("STORE_FAILED", noHours);
  const findSuffix = (series: Series): string => findHourlySuffix(types, target, series);
  await writeLines(server, formatLines([samples], { findSuffix }), refuseLine, "hourly");
}

/**
 * Opens a store on an InfluxDB server. A repeated batch changes nothing: a point is its measurement, tags and time.
 * Nothing is asked of the server before the first write or question, so that a collector starts while its store is
 * away.
 */
export function openInfluxStore(target: InfluxTarget, refuseLine: RefuseLine, options: InfluxStoreOptions = {}): Store {
  const { retention = keepAll, now = readClockUs } = options;
  const server = connectInflux(target);
  // An hour later than the last that is kept: that one may go meanwhile.
  const late = createLateRollUp(target, () => findHorizonUs(retention.hourly, now()) + hourUs);
  const store: InfluxStore = { target, server, refuseLine, retention, now, sent: new Set(), late, types: createFieldTypes() };
  return {
    write: (batches, receivedUs) => writeNew(store, batches, receivedUs),
    history: (query) => readBuckets(store, query),
    readLatest: (kind, tags) => readLatest(server, kind, tags),
    findByText: (kind, field, text) => findByText(server, kind, field, text),
    readNewest: (kind, filter) => readNewest(server, kind, filter),
    readReceived: () => readReceived(server),
    listSeries: (measurement) => listSeries(server, measurement),
    read: (filter) => readChunks(server, filter, findHorizonUs(retention.raw, now())),
    overwrite: (chunk) => overwriteChunk(store, chunk),
    rollUp: (range) => rollUpRange(late, range),
    prepare: async () => {
      await proveServer(server, target, now());
      await readFieldTypes(store.types, server);
      // The roll-up asks and writes by a connection of its own, which is to know too which InfluxDB it is.
      if ((await late.server.identify()) !== "2") return;
      await resumeLate(late);
      startHours(late, now);
    },
    freeze: () => undefined,
    listDamage: () => [],
    findTrouble: () => {
      const [failure] = late.failures.values();
      return failure === undefined ? undefined : `hours are not rolled up: ${failure}`;
    },
    planRetention: async () => undefined,
    // `store setup` has told the server to do all but this.
    retain: async () => {
      // What was set up since, or is no longer allowed, shows here: records would go where they expire.
      if (server.generation() === "2") await provePlaces(server, target, now());
      await rollUpEnded(late, now());
      await rollUpLate(late);
      return undefined;
    },
    close: async () => {
      await closeLateRollUp(late);
      await server.close();
    },
  };
}
