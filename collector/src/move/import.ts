import { appendFileSync, rmSync, statSync } from "node:fs";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import type { CollectorConfig } from "../config.js";
import { formatHead } from "../store/influx/line-protocol.js";
import { openConfiguredStore } from "../store/open.js";
import { isKeptWhole } from "../store/retention.js";
import type { Part, PartFilter, Store } from "../store/store.js";
import { readFormat } from "./export.js";
import type { FileItem } from "./file-item.js";
import { readLineFile } from "./line-file.js";
import { readParquetFile } from "./parquet-file.js";
import type { Precision } from "./parse-line.js";

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
  readonly filter: PartFilter;
  readonly precision: Precision | undefined;
  readonly rejectedFile: string;
}

/** Samples that are stored at once. */
const partSamples = 50_000;
const shownReasons = 5;

/** Keeps what is not stored, with its number and the reason. The file is made when there is something to keep. */
class Rejects {
  readonly reasons: string[] = [];
  count = 0;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    // A repeated import tells of itself alone.
    rmSync(path, { force: true });
  }

  add(number: number, reason: string, text: string): void {
    this.count++;
    if (this.reasons.length < shownReasons) this.reasons.push(`line ${number}: ${reason}`);
    try {
      appendFileSync(this.#path, `# line ${number}: ${reason.replaceAll("\n", " ")}\n${text}\n`);
    } catch (cause) {
      throw new FleetmarkError("FILE_FAILED", `cannot keep a rejected line: ${errorMessage(cause)}`, { cause });
    }
  }
}

/** Gathers points until they are worth a transaction, and knows which line each came from. */
class GrowingPart {
  readonly kind: Part["kind"];
  readonly #builder = new BatchBuilder();
  readonly #lines = new Map<string, number>();
  points = 0;
  /** The time of what is to be rolled up one day. */
  fromUs = Number.POSITIVE_INFINITY;
  toUs = 0;

  constructor(kind: Part["kind"]) {
    this.kind = kind;
  }

  get samples(): number {
    return this.#builder.samples;
  }

  add({ number, point }: Extract<FileItem, { kind: Part["kind"] }>): void {
    this.#builder.add(point);
    this.#lines.set(`${formatHead({ ...point, field: "" })} ${point.timeUs}`, number);
    this.points++;
    // Records and hours are never rolled up.
    if (this.kind === "hours" || isKeptWhole(point, "numbers")) return;
    this.fromUs = Math.min(this.fromUs, point.timeUs);
    this.toUs = Math.max(this.toUs, point.timeUs + 1);
  }

  /** Finds the line that a line of our own making came from. */
  findLine(line: string): number {
    const head = line.slice(0, /(?<!\\) /.exec(line)?.index);
    return this.#lines.get(`${head} ${line.slice(line.lastIndexOf(" ") + 1)}`) ?? 0;
  }

  build(): Part {
    return { kind: this.kind, samples: this.#builder.build({ host: "", epochUs: 0, sequence: 1 }), skipped: 0 };
  }
}

function isWanted(
  { measurements, fromUs, toUs }: PartFilter,
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

/**
 * Stores what a file holds, in place of what the store has of the same series and times: importing twice is importing once.
 * @throws FleetmarkError USAGE, FILE_FAILED, and what the store's opening and writing throw
 */
export async function importFile(
  config: Pick<CollectorConfig, "store" | "data_dir">,
  path: string,
  options: ImportOptions,
  onProgress: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const started = performance.now();
  const format = readFormat(path);
  const rejects = new Rejects(options.rejectedFile);
  let growing = new GrowingPart("samples");
  const store = await openConfiguredStore(config.store, config.data_dir, async (line, reason) => {
    rejects.add(growing.findLine(line), reason, line);
  });
  let [points, samples, bytes] = [0, 0, 0];
  let [fromUs, toUs] = [Number.POSITIVE_INFINITY, 0];
  const size = format === "lines" ? findSize(path) : undefined;
  const flush = async (kind: Part["kind"]): Promise<void> => {
    if (growing.points > 0) {
      await store.overwrite(growing.build());
      points += growing.points;
      samples += growing.samples;
      [fromUs, toUs] = [Math.min(fromUs, growing.fromUs), Math.max(toUs, growing.toUs)];
      onProgress({ points, samples, rejected: rejects.count, percent: size === undefined ? undefined : (100 * bytes) / size });
    }
    growing = new GrowingPart(kind);
  };
  try {
    const items =
      format === "lines"
        ? readLineFile(path, options.precision, (more) => {
            bytes += more;
          })
        : readParquetFile(path);
    for await (const item of explainFile(path, items)) {
      if ("reason" in item) {
        rejects.add(item.number, item.reason, item.text);
      } else if (isWanted(options.filter, item.point)) {
        if (item.kind !== growing.kind || growing.samples >= partSamples) await flush(item.kind);
        growing.add(item);
      }
    }
    await flush("samples");
    await settle(store, fromUs, toUs);
  } finally {
    await store.close();
  }
  const { count: rejected, reasons } = rejects;
  const seconds = (performance.now() - started) / 1e3;
  return { file: path, points, samples, rejected, rejected_file: rejected > 0 ? options.rejectedFile : null, reasons, seconds };
}

async function settle(store: Store, fromUs: number, toUs: number): Promise<void> {
  if (fromUs < toUs) await store.settle({ fromUs, toUs });
}

function findSize(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    // Opening it says what is wrong.
    return undefined;
  }
}
