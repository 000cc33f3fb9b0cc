import type { Readable } from "node:stream";

/**
 * The bytes of frames that have not come whole. gRPC gathers a frame before it hands it over, whoever sends it: a
 * hundred streams that each leave one unfinished would take a gigabyte and more. So the frames of every stream are
 * followed by their heads (a byte and a length of four, as the gRPC protocol over HTTP/2 lays down), before anything is
 * known of the peer but its connection.
 */

/** What frames may take. */
export interface FrameLimits {
  /** Bytes of the first frame of a stream: a Hello, with an inventory in it. */
  readonly firstFrame: number;
  /** Bytes of frames that are not whole, of all streams together. */
  readonly unfinished: number;
}

export const frameLimits: FrameLimits = { firstFrame: 2 ** 18, unfinished: 64 * 2 ** 20 };

const headBytes = 5;

/** A stream, and how far its frame under way has come. */
interface Metered {
  /** Ends the stream at once. */
  readonly end: () => void;
  readonly head: Buffer;
  /** Bytes of the head that have come; the head is whole while a frame's body is on its way. */
  inHead: number;
  /** Bytes of the frame that are yet to come. */
  missing: number;
  /** Bytes of the frame that have come. */
  unfinished: number;
  isFirst: boolean;
}

export interface FrameMeter {
  readonly limits: FrameLimits;
  readonly streams: Set<Metered>;
  unfinished: number;
  /** Told why a stream is cut off. */
  readonly onCut: (reason: "frame_too_early" | "frames_unfinished") => void;
}

export function createFrameMeter(limits: FrameLimits, onCut: FrameMeter["onCut"]): FrameMeter {
  return { limits, streams: new Set(), unfinished: 0, onCut };
}

function cut(meter: FrameMeter, metered: Metered, reason: Parameters<FrameMeter["onCut"]>[0]): void {
  forget(meter, metered);
  meter.onCut(reason);
  metered.end();
}

function forget(meter: FrameMeter, metered: Metered): void {
  if (!meter.streams.delete(metered)) return;
  meter.unfinished -= metered.unfinished;
  metered.unfinished = 0;
}

/** Follows the bytes of a chunk. Returns whether the stream may go on. */
function follow(meter: FrameMeter, metered: Metered, chunk: Buffer): boolean {
  const { head, limits } = { head: metered.head, limits: meter.limits };
  const before = metered.unfinished;
  for (let at = 0; at < chunk.length; ) {
    if (metered.inHead < headBytes) {
      const taken = Math.min(headBytes - metered.inHead, chunk.length - at);
      chunk.copy(head, metered.inHead, at, at + taken);
      metered.inHead += taken;
      at += taken;
      if (metered.inHead < headBytes) break;
      metered.missing = head.readUInt32BE(1);
      if (metered.isFirst && metered.missing > limits.firstFrame) return false;
    }
    const taken = Math.min(metered.missing, chunk.length - at);
    metered.missing -= taken;
    metered.unfinished += taken;
    at += taken;
    if (metered.missing > 0) break;
    metered.inHead = metered.unfinished = 0;
    metered.isFirst = false;
  }
  meter.unfinished += metered.unfinished - before;
  return true;
}

/** Cuts off those that hold most, until what all of them hold is within the bound again. */
function cutLargest(meter: FrameMeter): void {
  while (meter.unfinished > meter.limits.unfinished) {
    let largest: Metered | undefined;
    for (const each of meter.streams) if (largest === undefined || each.unfinished > largest.unfinished) largest = each;
    if (largest === undefined) return;
    cut(meter, largest, "frames_unfinished");
  }
}

/**
 * Follows a stream until it ends.
 * @param end ends it at once
 */
export function meterStream(meter: FrameMeter, stream: Readable, end: () => void): void {
  const metered: Metered = {
    end,
    head: Buffer.alloc(headBytes),
    inHead: 0,
    missing: 0,
    unfinished: 0,
    isFirst: true,
  };
  meter.streams.add(metered);
  stream.on("data", (chunk: Buffer) => {
    if (!meter.streams.has(metered)) return;
    if (follow(meter, metered, chunk)) cutLargest(meter);
    else cut(meter, metered, "frame_too_early");
  });
  stream.once("close", () => forget(meter, metered));
}
