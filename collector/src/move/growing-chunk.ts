import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { cutHead, formatHead } from "../store/influx/lines/line-protocol.js";
import { isKeptWhole } from "../store/retention.js";
import type { Chunk } from "../store/store.js";
import type { FileItem } from "./file-item.js";

/** Points that are gathered until they are worth a transaction, and the line that each came from. */
export interface GrowingChunk {
  readonly kind: Chunk["kind"];
  readonly builder: BatchBuilder;
  /** The number of each point's line, by its head and time. */
  readonly lines: Map<string, number>;
  points: number;
  /** The time of what is to be rolled up one day. */
  fromUs: number;
  toUs: number;
}

export function createGrowingChunk(kind: Chunk["kind"]): GrowingChunk {
  return { kind, builder: new BatchBuilder(), lines: new Map(), points: 0, fromUs: Number.POSITIVE_INFINITY, toUs: 0 };
}

export function addPoint(growing: GrowingChunk, { number, point }: Extract<FileItem, { kind: Chunk["kind"] }>): void {
  growing.builder.add(point);
  growing.lines.set(`${formatHead({ ...point, field: "" })} ${point.timeUs}`, number);
  growing.points++;
  // Records and hours are never rolled up.
  if (growing.kind === "hours" || isKeptWhole(point, "numbers")) return;
  growing.fromUs = Math.min(growing.fromUs, point.timeUs);
  growing.toUs = Math.max(growing.toUs, point.timeUs + 1);
}

/** Finds the line that a line of our own making came from. */
export function findLine({ lines }: GrowingChunk, line: string): number {
  return lines.get(`${cutHead(line)} ${line.slice(line.lastIndexOf(" ") + 1)}`) ?? 0;
}

export function buildChunk({ kind, builder }: GrowingChunk): Chunk {
  return { kind, samples: builder.build({ host: "", epochUs: 0, sequence: 1 }), skipped: 0 };
}
