/**
 * Judges an encoded fleetmark.v1.Batch by proto/fleetmark/v1/fleet.proto and docs/architecture.md alone, sharing no
 * code with what it is used to test. It is unsure rather than wrong: only what is surely invalid may be expected to be
 * stored nowhere.
 */

/** One field of a message: a length-delimited one has bytes. */
interface Field {
  readonly number: number;
  readonly type: number;
  readonly bytes: Uint8Array;
}

class Broken extends Error {}

/**
 * Something that the protocol does not allow, but that @bufbuild/protobuf reads all the same: it takes a known field by
 * its number alone, whatever its wire type, passes over varints of any length, and does not look where a message or a
 * list within a message ends.
 */
class Unsure extends Error {}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; next: number } {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw new Broken("a varint that does not end");
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value, next: start + i + 1 };
  }
  throw new Unsure("a varint of more than ten bytes");
}

/** Splits a message into its fields. `types` are the wire types of those that are known. */
function readFields(bytes: Uint8Array, types: Readonly<Record<number, readonly number[]>>): Field[] {
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    const [number, type] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    at = tag.next;
    if (number === 0 || tag.value > 0xffffffffn) throw new Unsure("a field without a number");
    if (types[number]?.includes(type) === false) throw new Unsure("a known field of another type");
    let end: number;
    if (type === 0) end = readVarint(bytes, at).next;
    else if (type === 1) end = at + 8;
    else if (type === 5) end = at + 4;
    else if (type === 2) {
      const length = readVarint(bytes, at);
      at = length.next;
      end = at + Number(length.value);
    } else throw new Unsure(`a field of type ${type}`);
    if (end > bytes.length) throw new Broken("a field that goes beyond its message");
    fields.push({ number, type, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return fields;
}

const batchTypes = { 1: [2], 2: [2], 3: [0], 4: [2], 5: [2] };
const idTypes = { 1: [2], 2: [0], 3: [0] };
const seriesTypes = { 1: [2], 2: [2], 3: [2] };
const tagTypes = { 1: [2], 2: [2] };
const numberTypes = { 1: [0, 2], 2: [0, 2], 3: [1, 2] };
const textTypes = { 1: [0, 2], 2: [0, 2], 3: [2] };

/** Splits a message within a message. */
function readInner(bytes: Uint8Array, types: Readonly<Record<number, readonly number[]>>): Field[] {
  try {
    return readFields(bytes, types);
  } catch (thrown) {
    throw thrown instanceof Broken ? new Unsure(thrown.message) : thrown;
  }
}

function select(fields: readonly Field[], number: number): Field[] {
  return fields.filter((field) => field.number === number && field.type === 2);
}

function readText(fields: readonly Field[], number: number): string {
  const last = select(fields, number).at(-1);
  return last === undefined ? "" : Buffer.from(last.bytes).toString("utf8");
}

/** An element of a list: one that the list cuts off, the library reads to its end beyond it. */
function readElement(bytes: Uint8Array, at: number): { value: bigint; next: number } {
  try {
    return readVarint(bytes, at);
  } catch (thrown) {
    throw thrown instanceof Broken ? new Unsure(thrown.message) : thrown;
  }
}

function readPacked(fields: readonly Field[], number: number): bigint[] | undefined {
  // Unpacked elements are allowed too; who meets them is not sure.
  if (fields.some((field) => field.number === number && field.type !== 2)) return undefined;
  const values: bigint[] = [];
  for (const { bytes } of select(fields, number)) {
    for (let at = 0; at < bytes.length; ) {
      const { value, next } = readElement(bytes, at);
      values.push(value);
      at = next;
    }
  }
  return values;
}

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

function isSeriesBroken(bytes: Uint8Array): boolean {
  const fields = readInner(bytes, seriesTypes);
  if (!namePattern.test(readText(fields, 1)) || !namePattern.test(readText(fields, 3))) return true;
  const keys = select(fields, 2).map((tag) => readText(readInner(tag.bytes, tagTypes), 1));
  return keys.some((key) => !namePattern.test(key) || key === "host") || new Set(keys).size < keys.length;
}

function areColumnsBroken(
  fields: readonly Field[],
  valueLength: (fields: readonly Field[]) => number,
  seriesCount: number,
): boolean {
  const [indexes, steps] = [readPacked(fields, 1), readPacked(fields, 2)];
  if (indexes === undefined || steps === undefined) return false;
  const length = valueLength(fields);
  if (Number.isNaN(length)) return false;
  if (indexes.length !== steps.length || indexes.length !== length) return true;
  return indexes.some((index) => (index & 0xffffffffn) >= BigInt(seriesCount));
}

function countDoubles(fields: readonly Field[]): number {
  if (fields.some(({ number, type }) => number === 3 && type === 1)) return Number.NaN;
  const lengths = select(fields, 3).map(({ bytes }) => bytes.length);
  // The library reads on beyond the end of a list until its last element is whole.
  if (lengths.some((length) => length % 8 !== 0)) return Number.NaN;
  return lengths.reduce((sum, length) => sum + length / 8, 0);
}

/** Whether no agent of this host could ever send it. */
export function isSurelyInvalid(bytes: Uint8Array, host: string): boolean {
  try {
    const fields = readFields(bytes, batchTypes);
    const ids = select(fields, 1);
    if (ids.length > 1) return false;
    if (ids.length === 0) return true;
    const id = readInner(ids[0].bytes, idTypes);
    if (readText(id, 1) !== host) return true;
    if (!id.some(({ number, type }) => number === 3 && type === 0)) return true;
    const series = select(fields, 2);
    // A series that is broken costs its own samples alone.
    if (series.length > 0 && series.every((entry) => isSeriesBroken(entry.bytes))) return true;
    const numbers = select(fields, 4).flatMap((columns) => readInner(columns.bytes, numberTypes));
    const texts = select(fields, 5).flatMap((columns) => readInner(columns.bytes, textTypes));
    return (
      areColumnsBroken(numbers, countDoubles, series.length) ||
      areColumnsBroken(texts, (texts) => select(texts, 3).length, series.length)
    );
  } catch (thrown) {
    if (thrown instanceof Broken) return true;
    if (thrown instanceof Unsure) return false;
    throw thrown;
  }
}

/** Whether a frame of an attached agent holds no batch that the host could have sent. */
export function holdsNoBatch(frame: Uint8Array, host: string): boolean {
  try {
    return select(readFields(frame, { 2: [2] }), 2).every(({ bytes }) => isSurelyInvalid(bytes, host));
  } catch (thrown) {
    if (thrown instanceof Broken) return true;
    if (thrown instanceof Unsure) return false;
    throw thrown;
  }
}
