import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFrameMeter, type FrameMeter, meterStream } from "./frame-meter.js";

const limits = { firstFrame: 100, unfinished: 1000 };

function open(): { meter: FrameMeter; cuts: string[]; add: () => PassThrough } {
  const cuts: string[] = [];
  const meter = createFrameMeter(limits, (reason) => cuts.push(reason));
  const add = (): PassThrough => {
    const stream = new PassThrough();
    meterStream(meter, stream, () => stream.destroy());
    return stream;
  };
  return { meter, cuts, add };
}

function frame(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** Lets what was written come. */
const pass = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("frames that have not come whole", () => {
  it("are counted to the byte, however they are cut into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
        fc.nat(),
        async (lengths, sizes, cutAt) => {
          const { meter, cuts, add } = open();
          const stream = add();
          const all = Buffer.concat(lengths.map(frame));
          const sent = all.subarray(0, cutAt % (all.length + 1));
          for (let at = 0; at < sent.length; ) {
            const size = sizes.next().value;
            stream.write(sent.subarray(at, at + size));
            at += size;
          }
          await pass();
          let left = sent.length;
          for (const length of lengths) {
            if (left < 5 + length) break;
            left -= 5 + length;
          }
          expect([meter.unfinished, cuts]).toEqual([Math.max(0, left - 5), []]);
          stream.destroy();
          await pass();
          expect([meter.unfinished, meter.streams.size]).toEqual([0, 0]);
        },
      ),
    );
  });

  it("may not be large before the first is whole", async () => {
    const { cuts, add } = open();
    const early = add();
    early.write(frame(101).subarray(0, 5));
    const late = add();
    late.write(frame(50));
    late.write(frame(500).subarray(0, 400));
    await pass();
    expect([cuts, early.destroyed, late.destroyed]).toEqual([["frame_too_early"], true, false]);
  });

  it("cost the stream that holds most of them, where all together are too many", async () => {
    const { meter, cuts, add } = open();
    const streams = [300, 600, 200].map((size) => {
      const stream = add();
      stream.write(frame(1));
      stream.write(frame(10_000).subarray(0, 5 + size));
      return stream;
    });
    await pass();
    expect([cuts, streams.map(({ destroyed }) => destroyed), meter.unfinished]).toEqual([
      ["frames_unfinished"],
      [false, true, false],
      500,
    ]);
  });
});
