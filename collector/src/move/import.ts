import { statSync } from "node:fs";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { openConfiguredStore, type StoreLocation } from "../store/engines/registry.js";
import type { Chunk, ChunkFilter, Store } from "../store/store.js";
import { readFormat } from "./export.js";
import type { FileItem } from "./file-item.js";
import { addPoint, buildChunk, createGrowingChunk, findLine, type GrowingChunk } from "./growing-chunk.js";
import { readLineFile } from "./line-file.js";
import { readParquetFile } from "./parquet-file.js";
import type { Precision } from "./parse-line.js";
import { addReject, createRejects, type Rejects } from "./rejects.js";

export interface ImportProgress {
  readonly points: number;
  readonly samples: number;
  readonly rejected: number;
  /** Of the file; undefined where that is not known. */
  readonly percent: number | undefined;
}

export interface ImportReport {
  readonly file: string;
  readonly points: number;
  readonly samples: number;
  /** Lines or rows that were not stored. */
  readonly rejected: number;
  /** Where those are kept, each with its number and the reason. */
  readonly rejected_file: string | null;
  /** The first of the reasons. */
  readonly reasons: readonly string[];
  readonly seconds: number;
}

export interface ImportOptions {
  readonly filter: ChunkFilter;
  readonly precision: Precision | undefined;
  readonly rejectedFile: string;
}

/** Samples that are stored at once. */
const chunkSamples = 50_000;

/** An import under way. */
interface Import {
  readonly rejects: Rejects;
  readonly onProgress: (progress: ImportProgress) => void;
  /** Bytes of the file; undefined where that does not tell how far it is. */
  readonly size: number | undefined;
  /** Bytes read. */
  bytes: number;
  /** What was stored. */
  points: number;
  samples: number;
  /** The time of what is to be rolled up. */
  fromUs: number;
  toUs: number;
  growing: GrowingChunk;
}

function isWanted(
  { measurements, fromUs, toUs }: ChunkFilter,
  { measurement, timeUs }: { measurement: string; timeUs: number },
): boolean {
  return timeUs >= fromUs && timeUs < toUs && (measurements.length === 0 || measurements.includes(measurement));
}

/** Wraps the file's own failures: one that is not there, is cut short or is no such file. */
async function* explainFile(path: string, items: AsyncIterable<FileItem>): AsyncGenerator<FileItem> {
  try {
    yield* items;
  } catch (thrown) {
    if (thrown instanceof FleetmarkError) throw thrown;
    const hint = "what came before it was stored; importing it again changes nothing of that";
    throw new FleetmarkError("FILE_FAILED", `cannot read ${path}: ${errorMessage(thrown)}; ${hint}`, { cause: thrown });
  }
}

/** Stores what was gathered, and begins a chunk of a kind. */
async function storeGrowing(state: Import, store: Store, kind: Chunk["kind"]): Promise<void> {
  const { growing, rejects, size, onProgress } = state;
  if (growing.points > 0) {
    await store.overwrite(buildChunk(growing));
    state.points += growing.points;
    state.samples += growing.builder.samples;
    state.fromUs = Math.min(state.fromUs, growing.fromUs);
    state.toUs = Math.max(state.toUs, growing.toUs);
    const percent = size === undefined ? undefined : (100 * state.bytes) / size;
    onProgress({ points: state.points, samples: state.samples, rejected: rejects.count, percent });
  }
  state.growing = createGrowingChunk(kind);
}

async function importItems(state: Import, store: Store, items: AsyncIterable<FileItem>, filter: ChunkFilter): Promise<void> {
  for await (const item of items) {
    if ("reason" in item) {
      addReject(state.rejects, item.number, item.reason, item.text);
    } else if (isWanted(filter, item.point)) {
      const isFull = state.growing.builder.samples >= chunkSamples;
      if (item.kind !== state.growing.kind || isFull) await storeGrowing(state, store, item.kind);
      addPoint(state.growing, item);
    }
  }
  await storeGrowing(state, store, "samples");
  const { fromUs, toUs } = state;
  if (fromUs < toUs) await store.rollUp({ fromUs, toUs });
}

/**
 * Stores what a file holds, in place of what the store has of the same series and times: importing twice is importing
 * once.
 * @throws FleetmarkError USAGE, FILE_FAILED, and what the store's opening and writing throw
 */
export async function importFile(
  config: StoreLocation,
  path: string,
  options: ImportOptions,
  onProgress: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const started = performance.now();
  const isLines = readFormat(path) === "lines";
  const rejects = createRejects(options.rejectedFile);
  const state: Import = {
    rejects,
    onProgress,
    size: isLines ? findSize(path) : undefined,
    bytes: 0,
    points: 0,
    samples: 0,
    fromUs: Number.POSITIVE_INFINITY,
    toUs: 0,
    growing: createGrowingChunk("samples"),
  };
  const store = await openConfiguredStore(config.store, config.data_dir, async (line, reason) => {
    addReject(rejects, findLine(state.growing, line), reason, line);
  });
  const countBytes = (more: number): void => {
    state.bytes += more;
  };
  try {
    await store.prepare();
    const items = isLines ? readLineFile(path, options.precision, countBytes) : readParquetFile(path);
    await importItems(state, store, explainFile(path, items), options.filter);
  } finally {
    await store.close();
  }
  const { points, samples } = state;
  const { count: rejected, reasons } = rejects;
  const seconds = (performance.now() - started) / 1e3;
  return { file: path, points, samples, rejected, rejected_file: rejected > 0 ? options.rejectedFile : null, reasons, seconds };
}

function findSize(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    // Opening it says what is wrong.
    return undefined;
  }
}
