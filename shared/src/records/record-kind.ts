import type { z } from "zod";
import { errorMessage, FleetmarkError } from "../errors.js";
import type { Point } from "../model/series.js";

/**
 * A kind of record: what is kept whole for years, apart from telemetry. It is a point of one measurement, decoded.
 * Whoever validates, stores, asks for or answers with records does so by what stands here: a new kind is one file
 * beside this one and one line in the registry.
 */
export interface RecordKind<R> {
  readonly measurement: string;
  readonly tags: readonly string[];
  /** The tags that tell what is measured: records that share them follow each other, and the latest of them speaks. */
  readonly identity: readonly string[];
  /** A field of text that no record of the kind lacks: stores find records by it. */
  readonly textField: string;
  /** The field of text that holds the id of a record's run; undefined where it has none. */
  readonly runField: string | undefined;
  /**
   * Where telemetry shares the measurement: the fields that are the record's, all of them texts. Undefined where all
   * of it is the record's.
   */
  readonly ownFields: readonly string[] | undefined;
  /**
   * How it comes to the collector: in agents' batches, with their Hello, or derived from other records as those come
   * in.
   */
  readonly origin: "batch" | "hello" | "derived";
  /** The shape of a record; its `time_us` is the time of its point. */
  readonly schema: z.ZodType<R>;
  toPoint(record: R): Point;
  /** @throws FleetmarkError STORE_FAILED when the point is not a whole record */
  fromPoint(point: Point): R;
}

/** What names a benchmark on a host. */
export const benchmarkIdentity = ["host", "category", "benchmark", "runtime", "device", "params"] as const;

/** A record with its kind. */
export interface KindedRecord<R = unknown> {
  readonly kind: RecordKind<R>;
  readonly record: R;
}

type Plain = Record<string, unknown>;

/** What a kind is made of; the rest follows. */
export interface RecordOptions<R>
  extends Pick<RecordKind<R>, "measurement" | "tags" | "identity" | "textField" | "origin" | "schema"> {
  /** The field that holds the run's id, if records have one. */
  readonly runField?: keyof R & string;
  /** Fields that are neither numbers nor texts: they are stored as JSON. */
  readonly jsonFields?: readonly (keyof R & string)[];
}

/** Lays out a record: what is no tag and not the time is a field, in the order of the record's keys. */
function layOut(measurement: string, record: { readonly time_us: number }, tagNames: readonly string[]): Point {
  const tags: Record<string, string> = {};
  const fields: Record<string, number | string> = {};
  for (const [key, value] of Object.entries(record)) {
    if (key === "time_us" || value === undefined) continue;
    if (tagNames.includes(key)) tags[key] = String(value);
    else fields[key] = typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);
  }
  return { measurement, tags, timeUs: record.time_us, fields };
}

/** Parses a point as a record, by what turns its tags and fields into one. */
export function parseRecord<R>(schema: z.ZodType<R>, point: Point, collect: () => Plain): R {
  try {
    const record = collect();
    record.time_us = point.timeUs;
    return schema.parse(record);
  } catch (cause) {
    throw new FleetmarkError("STORE_FAILED", `a stored ${point.measurement} does not read back: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/**
 * Makes the kind of a record whose keys are the names of its tags and fields, in the order in which they are written.
 */
export function defineRecord<R extends { readonly time_us: number }>(options: RecordOptions<R>): RecordKind<R> {
  const { jsonFields = [], ...rest } = options;
  const { measurement, tags, schema } = rest;
  const collect = (point: Point): Plain => {
    const record: Plain = { ...Object.fromEntries(tags.map((name) => [name, point.tags[name] ?? ""])), ...point.fields };
    for (const key of jsonFields) if (record[key] !== undefined) record[key] = JSON.parse(String(record[key]));
    return record;
  };
  return {
    ...rest,
    runField: options.runField,
    ownFields: undefined,
    toPoint: (record) => layOut(measurement, record, tags),
    fromPoint: (point) => parseRecord(schema, point, () => collect(point)),
  };
}

function isOfKind<R>(each: KindedRecord, kind: RecordKind<R>): each is KindedRecord<R> {
  return each.kind === kind;
}

/** Selects the records of one kind. */
export function selectRecords<R>(records: readonly KindedRecord[], kind: RecordKind<R>): R[] {
  return records.flatMap((each) => (isOfKind(each, kind) ? [each.record] : []));
}
