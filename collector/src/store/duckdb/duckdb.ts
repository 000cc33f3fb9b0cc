import { basename } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { readClockUs } from "../../platform/clock.js";
import { sortByTags, sortSeries } from "../ordering.js";
import { deliveryMeasurement, keepAll, type Retention } from "../retention.js";
import type { Chunk, Retained, Store, StoreReader } from "../store.js";
import { loadStoredBatches } from "./batches/batch-table.js";
import { readChunks } from "./chunk-reads.js";
import { overwriteChunk } from "./chunk-writes.js";
import { commitBatches, type WriterState } from "./commit.js";
import { type Damage, findDamage, removeDamage, writeViews } from "./damage/damage.js";
import { type DamagedRange, readDamageRecord, writeDamageRecord } from "./damage/damage-record.js";
import { type BlockCache, createBlockCache } from "./file/block-cache.js";
import { type DataFile, dataFileName, explainOpenFailure, foldAt, openDataFile } from "./file/data-file.js";
import { readHistory } from "./history.js";
import { type Access, query, streamFrom, toStoreFailure } from "./query.js";
import { findByText, readLatest, readNewest, readReceived } from "./records.js";
import { planRetention, retainData } from "./roll-up.js";
import { loadSeriesIndex, type SeriesIndex } from "./series-index.js";

/**
 * A store in one data file, for its only writer:
 *
 *   write, overwrite ──► the writer's connection ──► one transaction each
 *   questions, roll-up ─► a connection of their own, beside it
 *
 * What the writer knows of the file (its series, the ids of its batches) is in memory and loaded at the opening.
 * After a failure in the midst of a checkpoint the engine refuses everything: then the file is closed, and opened
 * anew by the next write. So it is too when the file was removed or replaced under its name: nothing is acknowledged
 * that went into it since it was last seen in place, and the next write opens what lies there now, or makes it.
 */
interface DuckdbStore {
  readonly dataDir: string;
  readonly retention: Retention;
  readonly cache: BlockCache;
  /** Interrupts the roll-up that is under way. */
  readonly stop: AbortController;
  /** Undefined between a failure of the file and the write that opens it anew. */
  open: OpenFile | undefined;
  /** Ends with the last roll-up that was asked for: they come one after the other. */
  retaining: Promise<unknown>;
  /** Ends with the last search for damage. */
  mending: Promise<boolean>;
  /** Not before then, by the steady clock. */
  searchAgainMs: number;
  damage: DamagedRange[];
}

interface OpenFile {
  readonly file: DataFile;
  readonly connection: DuckDBConnection;
  readonly state: WriterState;
}

/**
 * Connects to a file just opened and loads what is kept of it in memory; the file is closed if it turns out to be
 * damaged.
 */
async function loadFile<T>(file: DataFile, load: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  try {
    return await load(await file.instance.connect());
  } catch (thrown) {
    await file.close();
    throw explainOpenFailure(file.path, thrown);
  }
}

async function openForWriting(dataDir: string): Promise<OpenFile> {
  const file = await openDataFile(dataDir, { readOnly: false });
  return loadFile(file, async (connection) => {
    const index = await loadSeriesIndex(connection);
    return { file, connection, state: { index, stored: await loadStoredBatches(connection, file.version) } };
  });
}

function requireOpen({ open }: DuckdbStore): OpenFile {
  if (open !== undefined) return open;
  throw new FleetmarkError("STORE_FAILED", "the data file failed and waits to be opened anew by the next write");
}

async function closeFile(store: DuckdbStore, abandon = false): Promise<void> {
  const { open } = store;
  store.open = undefined;
  open?.connection.closeSync();
  await open?.file.close(abandon);
}

/** @throws FleetmarkError DATA_VANISHED */
function requireInPlace({ file }: OpenFile, sinceMs?: number): void {
  if (file.isInPlace(sinceMs)) return;
  throw new FleetmarkError(
    "DATA_VANISHED",
    `${file.path} or its log was removed or replaced while it was open; what it held is no longer there`,
  );
}

/** After a failure in the midst of a checkpoint the engine refuses everything until the file is opened anew. */
function isInvalidated(thrown: unknown): boolean {
  return /FATAL|database has been invalidated/i.test(errorMessage(thrown));
}

/** Does something on the writer's connection, on a file opened anew where it failed before. */
async function change<T>(store: DuckdbStore, act: (open: OpenFile) => Promise<T>): Promise<T> {
  try {
    store.open ??= await openForWriting(store.dataDir);
    requireInPlace(store.open);
    const beganMs = Date.now();
    const result = await act(store.open);
    requireInPlace(store.open, beganMs);
    return result;
  } catch (thrown) {
    if (isInvalidated(thrown)) await closeFile(store);
    if (thrown instanceof FleetmarkError && thrown.code === "DATA_VANISHED") await closeFile(store, true);
    throw toStoreFailure(thrown);
  }
}

function writeBatches(
  store: DuckdbStore,
  batches: readonly Batch[],
  receivedUs: number,
  onConflict?: (batch: Batch) => void,
): Promise<Batch[]> {
  return change(store, async ({ connection, state }) => {
    const written = await commitBatches(connection, state, batches, receivedUs, onConflict);
    await store.cache.trim(connection);
    return written;
  });
}

/** Finds what can't be read, on a connection of its own. */
async function searchDamage(file: DataFile): Promise<Damage[]> {
  const connection = await file.instance.connect();
  try {
    return await findDamage(connection);
  } finally {
    connection.closeSync();
  }
}

/** Takes what can't be read out of the file, and records it. Returns whether there was anything. */
async function mendFile(store: DuckdbStore): Promise<boolean> {
  const { file } = requireOpen(store);
  const connection = await file.instance.connect();
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
    await writeDamageRecord(store.dataDir, store.damage);
    await removeDamage(connection, damages);
    return true;
  } finally {
    store.stop.signal.removeEventListener("abort", interrupt);
    connection.closeSync();
  }
}

/** Between attempts to fold the log into the file, milliseconds, and how many there are. */
const folding = { everyMs: 500, attempts: 60 } as const;

/** Folds the log into the file; another transaction under way puts it off. */
async function foldLog(connection: DuckDBConnection): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.run("CHECKPOINT");
      return;
    } catch (thrown) {
      if (attempt === folding.attempts) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, folding.everyMs));
    }
  }
}

/** The file itself changes only when the log is folded into it, which waits until the copy is made. */
async function freeze(store: DuckdbStore, copy: (path: string) => Promise<void>): Promise<void> {
  const { file } = requireOpen(store);
  const connection = await file.instance.connect();
  try {
    await connection.run("SET GLOBAL checkpoint_threshold = '1TB'");
    await foldLog(connection);
    await copy(file.path);
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    await connection.run(`SET GLOBAL checkpoint_threshold = '${foldAt}'`).catch(() => {});
    connection.closeSync();
  }
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

/** One roll-up after the other, on a connection of its own beside that of the writer. */
function retain(store: DuckdbStore, access: Access, nowUs: number): Promise<Retained> {
  const result = store.retaining.then(() =>
    query(access, (connection) => retainData(connection, access.index(), store.retention, nowUs, store.stop.signal)),
  );
  store.retaining = result.catch(() => {});
  return result;
}

async function closeStore(store: DuckdbStore): Promise<void> {
  store.stop.abort();
  await store.retaining;
  await store.mending;
  const abandon = store.open?.file.isInPlace() === false;
  // What a failed checkpoint leaves in the log is replayed at the next opening.
  if (!abandon) await store.open?.connection.run("CHECKPOINT").catch(() => {});
  await closeFile(store, abandon);
}

function listSeries({ byMeasurement }: SeriesIndex, measurement: string | undefined): Series[] {
  const series = measurement === undefined ? [...byMeasurement.values()].flat() : (byMeasurement.get(measurement) ?? []);
  const shown = series.filter((each) => each.measurement !== deliveryMeasurement);
  return sortSeries(shown.map(({ measurement: name, field, tags }) => ({ measurement: name, field, tags })));
}

/** Creates what answers questions about a data file. */
function createReader(access: Access, close: () => Promise<void>): StoreReader {
  const { file, index } = access;
  return {
    history: async (asked) =>
      sortByTags(await query(access, (connection) => readHistory(connection, index(), asked, file().version))),
    readLatest: (kind, tags) => query(access, (connection) => readLatest(connection, index(), kind, tags)),
    findByText: (kind, field, text) => query(access, (connection) => findByText(connection, index(), kind, field, text)),
    readNewest: (kind, filter) => query(access, (connection) => readNewest(connection, index(), kind, filter)),
    readReceived: () => query(access, (connection) => readReceived(connection, index(), file().version)),
    listSeries: async (measurement) => listSeries(index(), measurement),
    read: (filter) => streamFrom(access, (connection) => readChunks(connection, index(), filter, file().version)),
    close,
  };
}

/**
 * Opens the store of a data directory for its only writer.
 * @throws FleetmarkError DATA_UNWRITABLE, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED
 */
export async function openStore(dataDir: string, retention: Retention = keepAll): Promise<Store> {
  const open = await openForWriting(dataDir);
  const store: DuckdbStore = {
    dataDir,
    retention,
    cache: createBlockCache(),
    stop: new AbortController(),
    open,
    retaining: Promise.resolve(),
    mending: Promise.resolve(false),
    searchAgainMs: 0,
    damage: await readDamageRecord(dataDir),
  };
  const access: Access = {
    mend: () => mend(store),
    preludes: () => [],
    file: () => requireOpen(store).file,
    index: () => requireOpen(store).state.index,
    cache: store.cache,
  };
  return {
    ...createReader(access, () => closeStore(store)),
    write: (batches, receivedUs, onConflict) => writeBatches(store, batches, receivedUs, onConflict),
    prepare: () => undefined,
    freeze: (copy) => freeze(store, copy),
    listDamage: () => store.damage,
    overwrite: (chunk: Chunk) => change(store, ({ connection, state }) => overwriteChunk(connection, state, chunk)),
    // As far as it is rolled up already, and no further: what goes by the clock goes at night, when it is trusted.
    rollUp: async () => {
      await retain(store, access, 0);
    },
    planRetention: (nowUs) => query(access, (connection) => planRetention(connection, access.index(), store.retention, nowUs)),
    retain: (nowUs) => retain(store, access, nowUs),
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
    file: () => file,
    index: () => loaded.index,
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
