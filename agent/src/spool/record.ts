import { crc32 } from "node:zlib";
import type { Entry } from "../batch/entry.js";
import type { ClockState } from "../time/clock.js";

/**
 * What a batch is in a file (little-endian, offsets in bytes):
 *
 *    0 "FMb1"            16 epoch, microseconds, 8    44 clock: generation, 2
 *    4 CRC-32 of 8…end   24 sequence, 6               46 length of the host's name, 2
 *    8 batch's length, 4 30 put at, milliseconds, 6   48 host's name, then the encoded batch
 *   12 samples, 4        36 clock: last time, 8
 *
 * and its tombstone in the list beside the file: 0 CRC-32 of 4…end, 4 sequence (6), 10 samples (4).
 */
const magic = Buffer.from("FMb1");
const headerLength = 48;

/**
 * One batch as it lies in a file: a fixed head with the checksum of all that follows it, the host's name, the batch.
 */
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

/**
 * Returns the record that begins at an offset, and where it ends; undefined where none does, or it is not what was
 * written.
 */
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

/**
 * Reads a file of records. After damage it goes on where the next record begins, so that a damaged byte costs one
 * batch.
 */
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

const tombstoneLength = 14;

/** One batch of a file that is gone, as it lies in the list beside the file. */
export function encodeTombstone({ sequence, samples }: { sequence: number; samples: number }): Buffer {
  const tombstone = Buffer.allocUnsafe(tombstoneLength);
  tombstone.writeUIntLE(sequence, 4, 6);
  tombstone.writeUInt32LE(samples, 10);
  tombstone.writeUInt32LE(crc32(tombstone.subarray(4)), 0);
  return tombstone;
}

/** Reads a list of batches that are gone. One that can't be read is sent again, which changes nothing in the store. */
export function parseTombstones(list: Buffer): { sequence: number; samples: number }[] {
  const tombstones: { sequence: number; samples: number }[] = [];
  for (let offset = 0; offset + tombstoneLength <= list.length; ) {
    const tombstone = list.subarray(offset, offset + tombstoneLength);
    const isWhole = crc32(tombstone.subarray(4)) === tombstone.readUInt32LE(0);
    if (isWhole) tombstones.push({ sequence: tombstone.readUIntLE(4, 6), samples: tombstone.readUInt32LE(10) });
    offset += isWhole ? tombstoneLength : 1;
  }
  return tombstones;
}
