import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createGzip, type Gzip } from "node:zlib";

/**
 * A long list on its way to its reader, as JSON. It is written slice by slice, and between two slices the thread is
 * free for whoever sends; the first are with the reader before the last are written. A reader that is slow holds up
 * nothing: what it has not taken waits as bytes, a tenth of what the objects would take.
 */

/** A slice is about so long, characters. */
const sliceLength = 64 * 1024;

function* cutIntoSlices<T>(list: readonly T[], stringify: (item: T) => string): Generator<string> {
  let slice = "[";
  for (const [i, item] of list.entries()) {
    slice += i === 0 ? stringify(item) : `,${stringify(item)}`;
    if (slice.length < sliceLength) continue;
    yield slice;
    slice = "";
  }
  yield `${slice}]`;
}

function compressSlice(gzip: Gzip, slice: string): Promise<void> {
  return new Promise((resolve, reject) => {
    gzip.write(slice, (error) => (error == null ? resolve() : reject(error)));
  });
}

export interface ListStream<T> {
  readonly list: readonly T[];
  readonly stringify: (item: T) => string;
  readonly compressed: boolean;
  /** Told how many more bytes are on their way to the reader. */
  readonly onBytes: (bytes: number) => void;
}

async function writeSlices<T>({ list, stringify, onBytes }: ListStream<T>, out: Readable, gzip: Gzip | undefined): Promise<void> {
  const send = (bytes: Buffer): void => {
    if (out.destroyed) return;
    onBytes(bytes.length);
    out.push(bytes);
  };
  gzip?.on("data", send);
  for (const slice of cutIntoSlices(list, stringify)) {
    if (gzip === undefined) send(Buffer.from(slice));
    else await compressSlice(gzip, slice);
    await nextTurn();
    // Its reader is gone.
    if (out.destroyed) return;
  }
  // It closes when all of it is out, and when its reader is gone.
  if (gzip !== undefined) await new Promise<void>((resolve) => gzip.once("close", resolve).end());
  if (!out.destroyed) out.push(null);
}

export interface WrittenList {
  /** What can't be written ends it with the error. */
  readonly stream: Readable;
  /** Resolves once nothing of the list is needed any more, whether its reader has taken it or not. */
  readonly written: Promise<void>;
}

/** Writes a list of any length. */
export function streamList<T>(options: ListStream<T>): WrittenList {
  const gzip = options.compressed ? createGzip() : undefined;
  const stream = new Readable({
    read: () => {},
    destroy: (error, done) => {
      gzip?.destroy();
      done(error);
    },
  });
  gzip?.on("error", (thrown) => stream.destroy(thrown));
  const written = writeSlices(options, stream, gzip).catch((thrown: unknown) => void stream.destroy(thrown as Error));
  return { stream, written };
}
