import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { errorMessage, FleetmarkError } from "../errors.js";
import {
  BatchIdSchema,
  BatchSchema,
  NumberColumnsSchema,
  TextColumnsSchema,
  type Batch as WireBatch,
} from "../gen/fleetmark/v1/fleet_pb.js";
import type { Batch, BatchId, Columns } from "../model/batch.js";
import { checkName, checkTags, findFault, type Series } from "../model/series.js";
import { decodeBatchId, toSafeNumber } from "./batch-id.js";

/** What an encoded batch shows at a glance, before anything but its id is decoded. */
export interface BatchOutline {
  readonly id: BatchId;
  /** Of the agent that measured it; empty where it has none. */
  readonly identity: string;
  readonly seriesCount: number;
  readonly sampleCount: number;
  /** The encoded dictionary, and the message without it. */
  readonly dictionary: Uint8Array;
  readonly rest: Uint8Array;
  /** What is wrong with the message behind its id. */
  readonly broken?: unknown;
}

/** A series of a dictionary; what is wrong with it costs its own samples, and no others. */
export interface DecodedSeries extends Series {
  readonly fault: string | undefined;
}

/** Reads an encoded dictionary. What it returns is shared between batches if it is the same array. */
export type ReadDictionary = (dictionary: Uint8Array, host: string) => readonly DecodedSeries[];

export interface DecodedBatch extends Batch {
  readonly series: readonly DecodedSeries[];
}

function malformed(message: string, cause?: unknown): never {
  throw new FleetmarkError("BATCH_MALFORMED", message, { cause });
}

/** Where the entries of the dictionary lie in an encoded batch, and the first id. */
interface Walk {
  id: BatchId | undefined;
  identity: string;
  seriesCount: number;
  sampleCount: number;
  /** Pairs of start and end; neighbouring entries are joined, and an encoder of ours makes one pair. */
  readonly dictionary: number[];
}

const idField = BatchSchema.field.id.number;
const identityField = BatchSchema.field.identity.number;
/** What is longer is no identity. */
const mostIdentity = 64;
const seriesField = BatchSchema.field.series.number;

const numbersField = BatchSchema.field.numbers.number;
const textsField = BatchSchema.field.texts.number;
/** The values in columns of either kind: numbers may be packed, texts may not. */
const numberValues = { field: NumberColumnsSchema.field.value.number, packedBytes: 8 };
const textValues = { field: TextColumnsSchema.field.text.number, packedBytes: undefined };

/** Counts the values in encoded columns. */
function countValues(columns: Uint8Array, { field, packedBytes }: typeof numberValues | typeof textValues): number {
  const reader = new BinaryReader(columns);
  let count = 0;
  while (reader.pos < reader.len) {
    const [found, wireType] = reader.tag();
    if (found !== field) reader.skip(wireType, found);
    else if (wireType === WireType.LengthDelimited && packedBytes !== undefined) count += reader.bytes().length / packedBytes;
    else {
      reader.skip(wireType, found);
      count++;
    }
  }
  return Math.floor(count);
}

/** Walks over the fields of a batch without looking into any but its id, and counts its samples. */
function walkBatch(bytes: Uint8Array, walk: Walk): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wireType] = reader.tag();
    if (field === idField && wireType === WireType.LengthDelimited && walk.id === undefined) {
      walk.id = decodeBatchId(fromBinary(BatchIdSchema, reader.bytes()));
      continue;
    }
    if (field === identityField && wireType === WireType.LengthDelimited) {
      const text = reader.string();
      walk.identity = text.length <= mostIdentity ? text : "";
      continue;
    }
    if (wireType === WireType.LengthDelimited && (field === numbersField || field === textsField)) {
      walk.sampleCount += countValues(reader.bytes(), field === numbersField ? numberValues : textValues);
      continue;
    }
    reader.skip(wireType, field);
    if (field !== seriesField) continue;
    walk.seriesCount++;
    const { dictionary } = walk;
    if (dictionary.at(-1) === start) dictionary[dictionary.length - 1] = reader.pos;
    else dictionary.push(start, reader.pos);
  }
}

/** Divides a message into the pieces between these pairs of bounds, joined, and what lies outside of them. */
function divide(bytes: Uint8Array, bounds: readonly number[]): { inside: Uint8Array; outside: Uint8Array } {
  const outer = [0, ...bounds, bytes.length];
  const take = (pairs: readonly number[]): Uint8Array => {
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] < pairs[i + 1]) pieces.push(bytes.subarray(pairs[i], pairs[i + 1]));
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  };
  return { inside: take(bounds), outside: take(outer) };
}

/**
 * Looks over an encoded batch. Its id is read first, so that a batch of which nothing else makes sense can still be
 * refused by name.
 * @throws FleetmarkError BATCH_MALFORMED when the id can't be read
 */
export function outlineBatch(bytes: Uint8Array): BatchOutline {
  const walk: Walk = { id: undefined, identity: "", seriesCount: 0, sampleCount: 0, dictionary: [] };
  try {
    walkBatch(bytes, walk);
  } catch (cause) {
    if (walk.id === undefined) malformed(`a batch without a readable id: ${errorMessage(cause)}`, cause);
    // Decoding would not find it again: the library takes a message that ends in the midst of an inner one for
    // complete.
    const { id, identity, seriesCount, sampleCount } = walk;
    return { id, identity, seriesCount, sampleCount, dictionary: bytes.subarray(0, 0), rest: bytes, broken: cause };
  }
  if (walk.id === undefined) malformed("a batch without an id");
  const { inside, outside } = divide(bytes, walk.dictionary);
  const { id, identity, seriesCount, sampleCount } = walk;
  return { id, identity, seriesCount, sampleCount, dictionary: inside, rest: outside };
}

function decodeMessage(bytes: Uint8Array): WireBatch {
  try {
    return fromBinary(BatchSchema, bytes);
  } catch (cause) {
    malformed(`not a Batch message: ${errorMessage(cause)}`, cause);
  }
}

interface DecodedTags {
  readonly tags: Series["tags"];
  readonly fault: string | undefined;
}

/** Tags of which one is wrong are kept as they came, for whoever looks into them; those that come twice are named. */
function decodeTags(entry: WireBatch["series"][number], host: string): DecodedTags {
  const tags: Record<string, string> = Object.create(null);
  tags.host = host;
  for (const { key, value } of entry.tags) {
    if (key in tags) {
      const fault = `tag ${JSON.stringify(key.slice(0, 64))} of ${entry.measurement.slice(0, 64)} is given twice or reserved`;
      return { tags, fault };
    }
    tags[key] = value;
  }
  return { tags, fault: findFault(() => checkTags({ measurement: entry.measurement, tags })) };
}

function haveEqualTags(a: WireBatch["series"][number], b: WireBatch["series"][number]): boolean {
  return (
    a.tags.length === b.tags.length && a.tags.every(({ key, value }, i) => key === b.tags[i].key && value === b.tags[i].value)
  );
}

/**
 * Decodes an encoded dictionary and checks its series. Neighbours of equal tags share them: in an agent's dictionary
 * all fields of a point.
 * @throws FleetmarkError BATCH_MALFORMED
 */
export function decodeDictionary(dictionary: Uint8Array, host: string): DecodedSeries[] {
  const entries = decodeMessage(dictionary).series;
  let decoded: DecodedTags = { tags: {}, fault: undefined };
  return entries.map((entry, i) => {
    const { measurement, field } = entry;
    if (i === 0 || !haveEqualTags(entry, entries[i - 1])) decoded = decodeTags(entry, host);
    const { tags } = decoded;
    const ofNames = findFault(() => {
      checkName("measurement", measurement);
      checkName("field", field);
    });
    return { measurement, tags, field, fault: ofNames ?? decoded.fault };
  });
}

interface WireColumns {
  readonly seriesIndex: number[];
  readonly timeDeltaUs: number[];
}

function decodeColumns<V>(what: string, wire: WireColumns, values: V[], seriesCount: number, base: number): Columns<V> {
  const { seriesIndex, timeDeltaUs } = wire;
  if (seriesIndex.length !== timeDeltaUs.length || seriesIndex.length !== values.length) {
    malformed(`columns of ${what} differ in length: ${seriesIndex.length}, ${timeDeltaUs.length}, ${values.length}`);
  }
  const timeUs = new Array<number>(timeDeltaUs.length);
  let time = base;
  for (let i = 0; i < timeDeltaUs.length; i++) {
    time += timeDeltaUs[i];
    timeUs[i] = time;
    if (seriesIndex[i] >= seriesCount) malformed(`sample ${i} of ${what} names series ${seriesIndex[i]} of ${seriesCount}`);
  }
  if (!Number.isSafeInteger(time)) malformed(`times of ${what} are out of range`);
  return { series: seriesIndex, timeUs, values };
}

/**
 * Decodes and checks a batch. Every series gets the tag `host` from the batch's id.
 * Series and values are not judged here: a name that is none, a NaN or a time far ahead costs its own samples, not the
 * batch.
 * @param readDictionary may remember dictionaries, which agents send again and again
 * @throws FleetmarkError BATCH_MALFORMED; never anything else, whatever the bytes are
 */
export function decodeBatch(
  bytes: Uint8Array,
  { id, dictionary, rest, broken }: BatchOutline = outlineBatch(bytes),
  readDictionary: ReadDictionary = decodeDictionary,
): DecodedBatch {
  if (broken !== undefined) malformed(`not a Batch message: ${errorMessage(broken)}`, broken);
  const wire = decodeMessage(rest);
  const series = readDictionary(dictionary, id.host);
  const base = toSafeNumber("base time", wire.baseTimeUs);
  const numbers = wire.numbers ?? { seriesIndex: [], timeDeltaUs: [], value: [] };
  const texts = wire.texts ?? { seriesIndex: [], timeDeltaUs: [], text: [] };
  return {
    id,
    series,
    numbers: decodeColumns("numbers", numbers, numbers.value, series.length, base),
    texts: decodeColumns("texts", texts, texts.text, series.length, base),
  };
}
