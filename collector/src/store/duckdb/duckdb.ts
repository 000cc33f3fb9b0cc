import type { DuckDBConnection } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import { pointToResult, pointToRun, type Result } from "@fleetmark/shared/model/result";
import type { Series } from "@fleetmark/shared/model/series";
import { readClockUs } from "../../platform/clock.js";
import { buildHostRecords, identifyBenchmark, readRecords, sortByTags, sortSeries } from "../ordering.js";
import { deliveryMeasurement, keepAll, type Retention } from "../retention.js";
import type { HostRecord, Part, ResultFilter, Retained, Store, StoreReader } from "../store.js";
import { loadStoredBatches, selectRanges } from "./batch-table.js";
import { type BlockCache, createBlockCache } from "./block-cache.js";
import { commitBatches, type WriterState } from "./commit.js";
import { type DataFile, explainOpenFailure, openDataFile } from "./data-file.js";
import { overwritePart, readParts } from "./parts.js";
import {
  type Moment,
  readGreatestValues,
  readHistory,
  readLatestMoments,
  readMomentsOfText,
  readNewestMoments,
  readPoints,
} from "./reads.js";
import { retainData } from "./roll-up.js";
import { addStoredSeries, createSeriesIndex, findSeries, numberSeries, type SeriesIndex } from "./series-index.js";

/** Asks on a connection of its own, which sees what was committed when each statement began. */
type Query = <T>(ask: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;

/** Returns when hosts were last heard of by another store, from which their data was brought here. */
async function readBroughtDeliveries(
  connection: DuckDBConnection,
  index: SeriesIndex,
): Promise<[host: string, timeUs: number][]> {
  const series = findSeries(index, deliveryMeasurement, "received_us", {});
  const last = await readGreatestValues(connection, series);
  return series.flatMap(({ id, tags }) => (last.has(id) ? [[tags.host, last.get(id) as number]] : []));
}

function storeFailed(thrown: unknown): FleetmarkError {
  return thrown instanceof FleetmarkError ? thrown : new FleetmarkError("STORE_FAILED", errorMessage(thrown), { cause: thrown });
}

async function loadIndex(connection: DuckDBConnection): Promise<SeriesIndex> {
  const index = createSeriesIndex();
  const rows = (await connection.runAndReadAll("SELECT id, measurement, field, tags FROM series ORDER BY id")).getRowsJS();
  for (const [id, measurement, field, tags] of rows) {
    const series = { measurement: measurement as string, field: field as string, tags: JSON.parse(tags as string) };
    addStoredSeries(index, numberSeries(id as number, series));
  }
  return index;
}

async function readLatestResults(connection: DuckDBConnection, index: SeriesIndex, filter: ResultFilter): Promise<Result[]> {
  const { host, suite, category, benchmark } = filter;
  const series = findSeries(index, "benchmark", "median", { host, suite, category, benchmark });
  const latest = new Map<string, Moment>();
  for (const moment of await readLatestMoments(connection, index, "numbers", series)) {
    const key = identifyBenchmark(JSON.parse(moment.tagsText));
    if ((latest.get(key)?.timeUs ?? -1) < moment.timeUs) latest.set(key, moment);
  }
  return readRecords(await readPoints(connection, index, "benchmark", [...latest.values()]), pointToResult);
}

async function readHosts(connection: DuckDBConnection, index: SeriesIndex, version: number): Promise<HostRecord[]> {
  const moments = await readLatestMoments(connection, index, "texts", findSeries(index, "agent", "version", {}));
  const ranges = selectRanges(version);
  const seen = (await connection.runAndReadAll(`SELECT host, max(received_us) FROM (${ranges}) GROUP BY host`)).getRowsJS();
  const lastSeen = new Map(seen.map(([host, timeUs]) => [host as string, Number(timeUs)]));
  for (const [host, timeUs] of await readBroughtDeliveries(connection, index)) {
    lastSeen.set(host, Math.max(timeUs, lastSeen.get(host) ?? 0));
  }
  return buildHostRecords(await readPoints(connection, index, "agent", moments), lastSeen);
}

/** Reads a stream on a connection of its own. */
async function* streamFrom<T>(
  file: DataFile,
  cache: BlockCache,
  read: (connection: DuckDBConnection) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const leave = await cache.enter();
  try {
    const connection = await file.instance.connect();
    try {
      yield* read(connection);
    } finally {
      connection.closeSync();
    }
  } catch (thrown) {
    throw storeFailed(thrown);
  } finally {
    leave();
  }
}

function createReader(
  file: () => DataFile,
  index: () => SeriesIndex,
  cache: BlockCache,
  close: () => Promise<void>,
): StoreReader {
  const query = createQuery(file, cache);
  return {
    history: async (history) =>
      sortByTags(await query((connection) => readHistory(connection, index(), history, file().version))),
    latestResults: (filter) => query((connection) => readLatestResults(connection, index(), filter)),
    resultsOfRun: (run) =>
      query(async (connection) => {
        const moments = await readMomentsOfText(connection, index(), findSeries(index(), "benchmark", "run", {}), run);
        return readRecords(await readPoints(connection, index(), "benchmark", moments), pointToResult);
      }),
    runs: (filter) =>
      query(async (connection) => {
        const moments = await readNewestMoments(
          connection,
          index(),
          findSeries(index(), "run", "state", { host: filter.host }),
          filter,
        );
        return readRecords(await readPoints(connection, index(), "run", moments), pointToRun);
      }),
    hosts: () => query((connection) => readHosts(connection, index(), file().version)),
    listSeries: async (measurement): Promise<Series[]> => {
      const { byMeasurement } = index();
      const series = measurement === undefined ? [...byMeasurement.values()].flat() : (byMeasurement.get(measurement) ?? []);
      const shown = series.filter((each) => each.measurement !== deliveryMeasurement);
      return sortSeries(shown.map(({ measurement, field, tags }) => ({ measurement, field, tags })));
    },
    read: (filter) => streamFrom(file(), cache, (connection) => readParts(connection, index(), filter, file().version)),
    close,
  };
}

function createQuery(file: () => DataFile, cache: BlockCache): Query {
  return async (ask) => {
    const leave = await cache.enter();
    try {
      const connection = await file().instance.connect();
      try {
        return await ask(connection);
      } finally {
        connection.closeSync();
      }
    } catch (thrown) {
      throw storeFailed(thrown);
    } finally {
      leave();
    }
  };
}

interface OpenFile {
  readonly file: DataFile;
  readonly connection: DuckDBConnection;
  readonly state: WriterState;
}

/** Connects to a file just opened and loads what is kept of it in memory; the file is closed if it turns out to be damaged. */
async function loadFile<T>(file: DataFile, load: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  try {
    return await load(await file.instance.connect());
  } catch (thrown) {
    file.close();
    throw explainOpenFailure(file.path, thrown);
  }
}

async function openForWriting(dataDir: string): Promise<OpenFile> {
  const file = await openDataFile(dataDir, { readOnly: false });
  return loadFile(file, async (connection) => {
    return {
      file,
      connection,
      state: { index: await loadIndex(connection), stored: await loadStoredBatches(connection, file.version) },
    };
  });
}

/** After a failure in the midst of a checkpoint the engine refuses everything until the file is opened anew. */
function isInvalidated(thrown: unknown): boolean {
  return /FATAL|database has been invalidated/i.test(errorMessage(thrown));
}

/**
 * Opens the store of a data directory for its only writer.
 * @throws FleetmarkError DATA_UNWRITABLE, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED
 */
export async function openStore(dataDir: string, retention: Retention = keepAll): Promise<Store> {
  let open: OpenFile | undefined = await openForWriting(dataDir);
  const cache = createBlockCache();

  const requireOpen = (): OpenFile => {
    if (open === undefined)
      throw new FleetmarkError("STORE_FAILED", "the data file failed and waits to be opened anew by the next write");
    return open;
  };
  const closeFile = (): void => {
    open?.connection.closeSync();
    open?.file.close();
    open = undefined;
  };
  const write = async (batches: readonly Batch[], receivedUs: number): Promise<Batch[]> => {
    try {
      open ??= await openForWriting(dataDir);
      const written = await commitBatches(open.connection, open.state, batches, receivedUs);
      await cache.trim(open.connection);
      return written;
    } catch (thrown) {
      if (isInvalidated(thrown)) closeFile();
      throw storeFailed(thrown);
    }
  };
  let retaining: Promise<unknown> = Promise.resolve();
  const stop = new AbortController();
  const query = createQuery(() => requireOpen().file, cache);
  const retain = (nowUs: number): Promise<Retained> => {
    // One after the other, on a connection of its own beside that of the writer.
    const result = retaining.then(() =>
      query((connection) => retainData(connection, requireOpen().state.index, retention, nowUs, stop.signal)),
    );
    retaining = result.catch(() => {});
    return result;
  };
  const close = async (): Promise<void> => {
    stop.abort();
    await retaining;
    // What a failed checkpoint leaves in the log is replayed at the next opening.
    await open?.connection.run("CHECKPOINT").catch(() => {});
    closeFile();
  };
  const reader = createReader(
    () => requireOpen().file,
    () => requireOpen().state.index,
    cache,
    close,
  );
  const overwrite = async (part: Part): Promise<void> => {
    try {
      open ??= await openForWriting(dataDir);
      await overwritePart(open.connection, open.state, part);
    } catch (thrown) {
      if (isInvalidated(thrown)) closeFile();
      throw storeFailed(thrown);
    }
  };
  const settle = async (): Promise<void> => {
    await retain(readClockUs());
  };
  return { ...reader, write, overwrite, settle, retain };
}

/**
 * Opens what a collector has stored, while none runs.
 * @throws FleetmarkError DATA_MISSING, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, STORE_FAILED
 */
export async function openStoreReadOnly(dataDir: string): Promise<StoreReader> {
  const file = await openDataFile(dataDir, { readOnly: true });
  const { connection, index } = await loadFile(file, async (connection) => ({ connection, index: await loadIndex(connection) }));
  const close = async (): Promise<void> => {
    connection.closeSync();
    file.close();
  };
  return createReader(
    () => file,
    () => index,
    createBlockCache(),
    close,
  );
}
