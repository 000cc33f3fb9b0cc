import { type Point, type Series, seriesKey } from "./series.js";

/** Names a batch for ever: a resend keeps it, and a store that has it already changes nothing. */
export interface BatchId {
  readonly host: string;
  /** When the agent process began, microseconds since the Unix epoch. */
  readonly epochUs: number;
  /** 1, 2, 3 … within an epoch. */
  readonly sequence: number;
}

/** Columns of equal length: sample i belongs to `batch.series[series[i]]` and was taken at `timeUs[i]`. */
export interface Columns<V> {
  readonly series: number[];
  readonly timeUs: number[];
  readonly values: V[];
}

/** A group of samples that is delivered, stored and acknowledged as one. Decoded, its series carry the tag `host`. */
export interface Batch {
  readonly id: BatchId;
  /** Tells its content from that of another batch of this name: CRC-32 of its encoded bytes, where it has any. */
  readonly digest?: number;
  /** The dictionary. Batches of one host may share it, and caches go by its identity: once built it never changes. */
  readonly series: readonly Series[];
  readonly numbers: Columns<number>;
  readonly texts: Columns<string>;
}

/** The largest step between neighbouring samples that the wire's 32-bit microsecond deltas hold: 35 minutes. */
export const maxStepUs = 2 ** 31 - 1;

/** Returns a text that names the batch among those of its host. */
export function nameBatch({ epochUs, sequence }: Pick<BatchId, "epochUs" | "sequence">): string {
  return `${epochUs}/${sequence}`;
}

/** Returns a text that names the batch in maps and logs. */
export function batchKey(id: BatchId): string {
  return `${id.host}/${nameBatch(id)}`;
}

/** Returns how many samples the batch holds. */
export function countSamples(batch: Batch): number {
  return batch.numbers.series.length + batch.texts.series.length;
}

/** Collects points into the series dictionary and columns of a batch. */
export class BatchBuilder {
  readonly #index = new Map<string, number>();
  readonly #series: Series[] = [];
  readonly #numbers: Columns<number> = { series: [], timeUs: [], values: [] };
  readonly #texts: Columns<string> = { series: [], timeUs: [], values: [] };

  get samples(): number {
    return this.#numbers.series.length + this.#texts.series.length;
  }

  /** Whether a sample of this time can join: its step from the samples before must fit the wire's 32 bits. */
  accepts(timeUs: number): boolean {
    const times = [this.#numbers.timeUs, this.#texts.timeUs].filter((column) => column.length > 0);
    return times.every((column) => {
      return Math.abs(timeUs - column[0]) <= maxStepUs && Math.abs(timeUs - column[column.length - 1]) <= maxStepUs;
    });
  }

  add(point: Point): void {
    for (const [field, value] of Object.entries(point.fields)) {
      const columns: Columns<number | string> = typeof value === "number" ? this.#numbers : this.#texts;
      columns.series.push(this.#indexOf({ measurement: point.measurement, tags: point.tags, field }));
      columns.timeUs.push(point.timeUs);
      columns.values.push(value);
    }
  }

  build(id: BatchId): Batch {
    return { id, series: this.#series, numbers: this.#numbers, texts: this.#texts };
  }

  #indexOf(series: Series): number {
    const key = seriesKey(series);
    let index = this.#index.get(key);
    if (index === undefined) {
      index = this.#series.length;
      this.#series.push(series);
      this.#index.set(key, index);
    }
    return index;
  }
}
