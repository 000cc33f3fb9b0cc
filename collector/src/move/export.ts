import { renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { openConfiguredReader, type StoreLocation } from "../store/engines/registry.js";
import { countOf } from "../store/samples.js";
import type { Chunk, ChunkFilter } from "../store/store.js";
import { writeLineFile } from "./line-file.js";
import { writeParquetFile } from "./parquet-file.js";

/** What was moved so far. */
export interface ExportProgress {
  readonly samples: number;
  /** Values that can't be moved, such as booleans of another writer. */
  readonly skipped: number;
}

export interface ExportReport extends ExportProgress {
  readonly file: string;
  readonly bytes: number;
  readonly seconds: number;
}

export type FileFormat = "lines" | "parquet";

/** @throws FleetmarkError USAGE when the name does not tell */
export function readFormat(path: string): FileFormat {
  if (/\.(lp|txt|line)(\.gz)?$/.test(path)) return "lines";
  if (path.endsWith(".parquet")) return "parquet";
  throw new FleetmarkError("USAGE", `${path}: name a file that ends in .lp, .lp.gz or .parquet`);
}

async function* countChunks(chunks: AsyncIterable<Chunk>, onProgress: (progress: ExportProgress) => void): AsyncGenerator<Chunk> {
  let [samples, skipped] = [0, 0];
  for await (const chunk of chunks) {
    yield chunk;
    samples += countOf(chunk.samples);
    skipped += chunk.skipped;
    onProgress({ samples, skipped });
  }
}

/**
 * Writes what a store holds into a file, which appears under its name when it is whole.
 * @throws FleetmarkError USAGE, FILE_FAILED, and what the store's opening and reading throw
 */
export async function exportStore(
  config: StoreLocation,
  path: string,
  filter: ChunkFilter,
  onProgress: (progress: ExportProgress) => void,
): Promise<ExportReport> {
  const started = performance.now();
  const format = readFormat(path);
  const growing = format === "lines" ? `${path}.partial${path.endsWith(".gz") ? ".gz" : ""}` : `${path}.partial`;
  const store = await openConfiguredReader(config.store, config.data_dir);
  let progress: ExportProgress = { samples: 0, skipped: 0 };
  const chunks = countChunks(store.read(filter), (now) => {
    progress = now;
    onProgress(now);
  });
  try {
    if (format === "lines") await writeLineFile(growing, chunks, config.store.database);
    else await writeParquetFile(growing, chunks);
    renameSync(growing, path);
  } catch (thrown) {
    rmSync(growing, { force: true });
    if (thrown instanceof FleetmarkError) throw thrown;
    const where = systemErrorCode(thrown) === "ENOENT" ? `${dirname(path)} does not exist` : errorMessage(thrown);
    throw new FleetmarkError("FILE_FAILED", `cannot write ${path}: ${where}`, { cause: thrown });
  } finally {
    await store.close();
  }
  return { file: path, bytes: statSync(path).size, seconds: (performance.now() - started) / 1e3, ...progress };
}
