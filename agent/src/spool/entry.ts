import { crc32 } from "node:zlib";
import type { ClockState } from "../time/clock.js";
import type { Parcel, Priority } from "./encoded-batch.js";

/** A parcel in the spool. */
export interface Entry extends Parcel {
  /** When it was put into the spool, milliseconds since the Unix epoch. */
  readonly putMs: number;
}

/** Where a batch stands among those of its priority. */
export interface Position {
  readonly epochUs: number;
  readonly sequence: number;
}

/** What is kept in memory of a batch that leaves. */
export interface EntryFacts extends Position {
  readonly priority: Priority;
  readonly samples: number;
  /** Encoded bytes of the batch. */
  readonly size: number;
  readonly putMs: number;
}

/** Before every batch. */
export const origin: Position = { epochUs: 0, sequence: 0 };

/** After every batch. */
export const last: Position = { epochUs: Number.MAX_SAFE_INTEGER, sequence: 2 ** 48 };

export function comparePositions(a: Position, b: Position): number {
  return a.epochUs - b.epochUs || a.sequence - b.sequence;
}

/** Returns a text that names the batch in maps. */
export function namePosition({ epochUs, sequence }: Position): string {
  return `${epochUs}/${sequence}`;
}

export function readFacts({ id, priority, samples, bytes, putMs }: Entry): EntryFacts {
  return { priority, epochUs: id.epochUs, sequence: id.sequence, samples, size: bytes.length, putMs };
}

const magic = Buffer.from("FMb1");
const headerLength = 48;

/** One batch as it lies in a file: a fixed head with the checksum of all that follows it, the host's name, the batch. */
export interface SpoolRecord extends Omit<Entry, "priority"> {
  /** As after the last sample that was stamped before the batch was put. */
  readonly clock: ClockState;
}

export function encodeRecord({ id, bytes, samples, putMs, clock }: SpoolRecord): Buffer {
  const host = Buffer.from(id.host);
  const record = Buffer.allocUnsafe(headerLength + host.length + bytes.length);
  magic.copy(record);
  record.writeUInt32LE(bytes.length, 8);
  record.writeUInt32LE(samples, 12);
  record.writeBigUInt64LE(BigInt(id.epochUs), 16);
  record.writeUIntLE(id.sequence, 24, 6);
  record.writeUIntLE(putMs, 30, 6);
  record.writeBigUInt64LE(BigInt(clock.lastUs), 36);
  record.writeUInt16LE(clock.generation, 44);
  record.writeUInt16LE(host.length, 46);
  host.copy(record, headerLength);
  record.set(bytes, headerLength + host.length);
  record.writeUInt32LE(crc32(record.subarray(8)), 4);
  return record;
}

/** Returns the record that begins at an offset, and where it ends; undefined where none does, or it is not what was written. */
function decodeRecord(file: Buffer, offset: number): { record: SpoolRecord; end: number } | undefined {
  if (offset + headerLength > file.length || file.compare(magic, 0, 4, offset, offset + 4) !== 0) return undefined;
  const head = file.subarray(offset, offset + headerLength);
  const bodyAt = offset + headerLength + head.readUInt16LE(46);
  const end = bodyAt + head.readUInt32LE(8);
  if (end > file.length || crc32(file.subarray(offset + 8, end)) !== head.readUInt32LE(4)) return undefined;
  const id = {
    host: file.toString("utf8", offset + headerLength, bodyAt),
    epochUs: Number(head.readBigUInt64LE(16)),
    sequence: head.readUIntLE(24, 6),
  };
  const clock = { lastUs: Number(head.readBigUInt64LE(36)), generation: head.readUInt16LE(44) };
  const facts = { samples: head.readUInt32LE(12), putMs: head.readUIntLE(30, 6) };
  return { record: { id, ...facts, clock, bytes: file.subarray(bodyAt, end) }, end };
}

/** What a file of records holds. The records' bytes are views of the file's. */
export interface ParsedFile {
  readonly records: SpoolRecord[];
  /** What is between them and is none. */
  readonly damaged: Buffer[];
}

/** Reads a file of records. After damage it goes on where the next record begins, so that a damaged byte costs one batch. */
export function parseFile(file: Buffer): ParsedFile {
  const records: SpoolRecord[] = [];
  const damaged: Buffer[] = [];
  let damageAt: number | undefined;
  const endDamage = (at: number): void => {
    if (damageAt !== undefined) damaged.push(file.subarray(damageAt, at));
    damageAt = undefined;
  };
  for (let offset = 0; offset < file.length; ) {
    const found = decodeRecord(file, offset);
    if (found !== undefined) {
      endDamage(offset);
      records.push(found.record);
      offset = found.end;
      continue;
    }
    damageAt ??= offset;
    const next = file.indexOf(magic, offset + 1);
    offset = next < 0 ? file.length : next;
  }
  endDamage(file.length);
  return { records, damaged };
}

const graveLength = 14;

/** One batch of a file that is gone, as it lies in the list beside the file. */
export function encodeGrave({ sequence, samples }: { sequence: number; samples: number }): Buffer {
  const grave = Buffer.allocUnsafe(graveLength);
  grave.writeUIntLE(sequence, 4, 6);
  grave.writeUInt32LE(samples, 10);
  grave.writeUInt32LE(crc32(grave.subarray(4)), 0);
  return grave;
}

/** Reads a list of batches that are gone. One that can't be read is sent again, which changes nothing in the store. */
export function parseGraves(list: Buffer): { sequence: number; samples: number }[] {
  const graves: { sequence: number; samples: number }[] = [];
  for (let offset = 0; offset + graveLength <= list.length; ) {
    const grave = list.subarray(offset, offset + graveLength);
    const isWhole = crc32(grave.subarray(4)) === grave.readUInt32LE(0);
    if (isWhole) graves.push({ sequence: grave.readUIntLE(4, 6), samples: grave.readUInt32LE(10) });
    offset += isWhole ? graveLength : 1;
  }
  return graves;
}
