import { basename } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { readClockUs } from "../../platform/clock.js";
import { sortByTags, sortSeries } from "../ordering.js";
import { deliveryMeasurement, keepAll, type Retention } from "../retention.js";
import type { Chunk, Compacted, RolledUp, Store, StoreReader } from "../store.js";
import { readChunks } from "./chunk-reads.js";
import { overwriteChunk } from "./chunk-writes.js";
import { commitBatches } from "./commit.js";
import { compact } from "./compaction.js";
import { type Damage, findDamage, removeDamage, writeViews } from "./damage/damage.js";
import { type DamagedRange, readDamageRecord, writeDamageRecord } from "./damage/damage-record.js";
import { type BlockCache, createBlockCache } from "./file/block-cache.js";
import { type DataFile, dataFileName, foldAt, foldLog, openDataFile } from "./file/data-file.js";
import { change, endHeld, type HeldFile, holdFile, loadFile, requireOpen } from "./held-file.js";
import { readHistory } from "./history.js";
import { type Access, type Looked, query, streamFrom, toStoreFailure } from "./query.js";
import { findByText, readLatest, readNewest, readReceived } from "./records.js";
import { planRetention, retainData } from "./roll-up.js";
import { loadSeriesIndex, type SeriesIndex } from "./series-index.js";

/**
 * A store in one data file, for its only writer:
 *
 *   write, overwrite ──► the writer's connection ──► one transaction each
 *   questions, roll-up ─► a connection of their own, beside it
 */
interface DuckdbStore {
  readonly held: HeldFile;
  readonly retention: Retention;
  readonly cache: BlockCache;
  /** Interrupts the roll-up that is under way. */
  readonly stop: AbortController;
  /** Ends with the last roll-up or copy that was asked for: they come one after the other. */
  keeping: Promise<unknown>;
  /** Ends with the last search for damage. */
  mending: Promise<boolean>;
  /** Not before then, by the steady clock. */
  searchAgainMs: number;
  damage: DamagedRange[];
}

function writeBatches(
  store: DuckdbStore,
  batches: readonly Batch[],
  receivedUs: number,
  onConflict?: (batch: Batch) => void,
): Promise<Batch[]> {
  return change(store.held, async ({ connection, state }) => {
    const written = await commitBatches(connection, state, batches, receivedUs, onConflict);
    store.held.tail?.add({ batches: written, receivedUs });
    await store.cache.trim(connection);
    return written;
  });
}

/** Finds what can't be read, on a connection of its own. */
async function searchDamage(file: DataFile): Promise<Damage[]> {
  const connection = await file.connect();
  try {
    return await findDamage(connection);
  } finally {
    connection.closeSync();
  }
}

/** Takes what can't be read out of the file, and records it. Returns whether there was anything. */
async function mendFile(store: DuckdbStore): Promise<boolean> {
  await store.held.moving;
  const { file } = requireOpen(store.held);
  store.held.tail?.spoil("what can't be read was taken out of the file meanwhile");
  const connection = await file.connect();
  const interrupt = (): void => connection.interrupt();
  store.stop.signal.addEventListener("abort", interrupt, { once: true });
  try {
    store.stop.signal.throwIfAborted();
    const damages = await findDamage(connection);
    if (damages.length === 0) return false;
    const foundUs = readClockUs();
    const found = damages.map(({ table, from, to, fromUs, toUs }): DamagedRange => {
      return { table, rows: to - from, from_us: fromUs, to_us: toUs, found_us: foundUs };
    });
    // Recorded first: what is taken out and not recorded would be missing without a word.
    store.damage = [...store.damage, ...found];
    await writeDamageRecord(store.held.dataDir, store.damage);
    await removeDamage(connection, damages);
    return true;
  } finally {
    store.stop.signal.removeEventListener("abort", interrupt);
    connection.closeSync();
  }
}

/** How often it is tried to fold the log before a copy, half a second apart. */
const foldAttempts = 60;

/** The file itself changes only when the log is folded into it, which waits until the copy is made. */
async function freezeFile({ held }: DuckdbStore, copy: (path: string) => Promise<void>): Promise<void> {
  const { file } = requireOpen(held);
  const connection = await file.connect();
  try {
    await connection.run("SET GLOBAL checkpoint_threshold = '1TB'");
    await foldLog(connection, foldAttempts);
    await copy(file.path);
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    await connection.run(`SET GLOBAL checkpoint_threshold = '${foldAt}'`).catch(() => {});
    connection.closeSync();
  }
}

/** One roll-up or copy after the other. */
function keepHouse<T>(store: DuckdbStore, act: () => Promise<T>): Promise<T> {
  const result = store.keeping.then(act);
  store.keeping = result.catch(() => {});
  return result;
}

/** After a search that found nothing, another would find nothing either: milliseconds. */
const searchAgainMs = 600_000;

/** One search at a time, and none soon after one that found nothing: it reads the whole file. */
function mend(store: DuckdbStore): Promise<boolean> {
  const search = async (): Promise<boolean> => {
    if (performance.now() < store.searchAgainMs) return false;
    const hasFound = await mendFile(store);
    if (!hasFound) store.searchAgainMs = performance.now() + searchAgainMs;
    return hasFound;
  };
  const searching = store.mending.then(search);
  store.mending = searching.catch(() => false);
  return searching;
}

/** Rolls up on a connection of its own beside that of the writer. */
function rollUp(store: DuckdbStore, access: Access, nowUs: number): Promise<RolledUp> {
  return query(access, (connection, { index }) => retainData(connection, index, store.retention, nowUs, store.stop.signal));
}

/** Gives back the space that is free; what can't be read is found where that fails. */
async function giveBack(store: DuckdbStore): Promise<Compacted> {
  const { held, cache, stop } = store;
  const compacted = await compact(held, cache, stop.signal);
  if (compacted.not_freed_because !== null && !stop.signal.aborted) {
    // The file may wait to be opened anew.
    await change(held, async () => {});
    await mend(store);
  }
  return compacted;
}

async function closeStore(store: DuckdbStore): Promise<void> {
  store.stop.abort();
  await store.keeping;
  await store.mending;
  await endHeld(store.held);
}

function listSeries({ byMeasurement }: SeriesIndex, measurement: string | undefined): Series[] {
  const series = measurement === undefined ? [...byMeasurement.values()].flat() : (byMeasurement.get(measurement) ?? []);
  const shown = series.filter((each) => each.measurement !== deliveryMeasurement);
  return sortSeries(shown.map(({ measurement: name, field, tags }) => ({ measurement: name, field, tags })));
}

/** Creates what answers questions about a data file. */
function createReader(access: Access, close: () => Promise<void>): StoreReader {
  return {
    history: async (asked) =>
      sortByTags(await query(access, (connection, { index, file }) => readHistory(connection, index, asked, file.version))),
    readLatest: (kind, tags) => query(access, (connection, { index }) => readLatest(connection, index, kind, tags)),
    findByText: (kind, field, text) => query(access, (connection, { index }) => findByText(connection, index, kind, field, text)),
    readNewest: (kind, filter) => query(access, (connection, { index }) => readNewest(connection, index, kind, filter)),
    readReceived: () => query(access, (connection, { index, file }) => readReceived(connection, index, file.version)),
    listSeries: async (measurement) => {
      await access.settled();
      return listSeries(access.look().index, measurement);
    },
    read: (filter) => streamFrom(access, (connection, { index, file }) => readChunks(connection, index, filter, file.version)),
    close,
  };
}

/**
 * Opens the store of a data directory for its only writer.
 * @throws FleetmarkError DATA_UNWRITABLE, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED
 */
export async function openStore(dataDir: string, retention: Retention = keepAll): Promise<Store> {
  const held = await holdFile(dataDir);
  const store: DuckdbStore = {
    held,
    retention,
    cache: createBlockCache(),
    stop: new AbortController(),
    keeping: Promise.resolve(),
    mending: Promise.resolve(false),
    searchAgainMs: 0,
    damage: await readDamageRecord(dataDir),
  };
  const look = (): Looked => {
    const { file, state } = requireOpen(held);
    return { file, index: state.index };
  };
  const access: Access = { settled: () => held.moving, look, mend: () => mend(store), preludes: () => [], cache: store.cache };
  return {
    ...createReader(access, () => closeStore(store)),
    write: (batches, receivedUs, onConflict) => writeBatches(store, batches, receivedUs, onConflict),
    prepare: () => undefined,
    freeze: (copy) => keepHouse(store, () => freezeFile(store, copy)),
    listDamage: () => store.damage,
    findTrouble: () => undefined,
    overwrite: (chunk: Chunk) =>
      change(held, ({ connection, state }) => {
        held.tail?.spoil("a chunk was stored meanwhile");
        return overwriteChunk(connection, state, chunk);
      }),
    // As far as it is rolled up already, and no further: what goes by the clock goes at night, when it is trusted.
    rollUp: async () => {
      await keepHouse(store, () => rollUp(store, access, 0));
    },
    planRetention: (nowUs) => query(access, (connection, { index }) => planRetention(connection, index, store.retention, nowUs)),
    retain: (nowUs) => keepHouse(store, async () => ({ ...(await rollUp(store, access, nowUs)), ...(await giveBack(store)) })),
  };
}

/**
 * Opens what a collector has stored, while none runs.
 * @throws FleetmarkError DATA_MISSING, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED
 */
export async function openStoreReadOnly(dataDir: string): Promise<StoreReader> {
  const file = await openDataFile(dataDir, { readOnly: true });
  const loaded = await loadFile(file, async (connection): Promise<{ connection: DuckDBConnection; index: SeriesIndex }> => {
    return { connection, index: await loadSeriesIndex(connection) };
  });
  let damages: readonly Damage[] = [];
  let searching: Promise<readonly Damage[]> | undefined;
  const access: Access = {
    settled: async () => {},
    look: () => ({ file, index: loaded.index }),
    cache: createBlockCache(),
    mend: async () => {
      searching ??= searchDamage(file);
      damages = await searching;
      return damages.length > 0;
    },
    preludes: () => writeViews(damages, basename(dataFileName, ".duckdb")),
  };
  return createReader(access, async () => {
    // A connection that is closed in the midst of a question ends the process.
    await searching?.catch(() => {});
    loaded.connection.closeSync();
    await file.close();
  });
}

/**
 * Reads a data file from end to end, while no collector runs.
 * @throws FleetmarkError DATA_DAMAGED naming what can't be read, and as `openStoreReadOnly` does
 */
export async function readDataFile(dataDir: string, onProgress: (share: number) => void): Promise<string> {
  const file = await openDataFile(dataDir, { readOnly: true });
  const damages = await loadFile(file, (connection) => findDamage(connection, onProgress)).finally(() => file.close());
  if (damages.length === 0) return "every row can be read";
  const rows = damages.reduce((sum, { from, to }) => sum + to - from, 0);
  const places = damages.slice(0, 3).map(({ table, from, to }) => `${table} ${from} to ${to - 1}`);
  throw new FleetmarkError(
    "DATA_DAMAGED",
    `${rows} rows can't be read: ${places.join(", ")}${damages.length > 3 ? " and others" : ""}`,
  );
}
