import { createReadStream, createWriteStream } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { formatLines } from "../store/influx/lines/line-protocol.js";
import { policies } from "../store/influx/server/policies.js";
import type { Chunk } from "../store/store.js";
import type { FileItem } from "./file-item.js";
import { createLineParser, type Precision } from "./parse-line.js";
import { readLines } from "./read-lines.js";

/**
 * Line protocol in a file. The comments are those of InfluxDB's own exports, which its shell (`influx -import`) reads
 * too: they say where the lines after them belong.
 */
const context = "# CONTEXT-RETENTION-POLICY: ";
const precisionComment = "# PRECISION: ";

function isGzip(path: string): boolean {
  return path.endsWith(".gz");
}

async function* formatChunks(chunks: AsyncIterable<Chunk>, database: string): AsyncGenerator<string> {
  yield `# DML\n# CONTEXT-DATABASE: ${database}\n${precisionComment}us\n`;
  let kind: Chunk["kind"] | undefined;
  for await (const chunk of chunks) {
    const lines = formatLines([chunk.samples]);
    if (lines.length === 0) continue;
    if (chunk.kind !== kind) yield `${context}${chunk.kind === "hours" ? policies.hourly : "autogen"}\n`;
    kind = chunk.kind;
    yield `${lines.join("\n")}\n`;
  }
}

export async function writeLineFile(path: string, chunks: AsyncIterable<Chunk>, database: string): Promise<void> {
  const pack = isGzip(path) ? createGzip({ level: 6 }) : new PassThrough();
  await pipeline(Readable.from(formatChunks(chunks, database)), pack, createWriteStream(path));
}

async function* readText(path: string, onBytes: (bytes: number) => void): AsyncGenerator<string> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  file.on("data", (bytes) => onBytes(bytes.length));
  const bytes = isGzip(path) ? file.pipe(createGunzip()) : file;
  if (bytes !== file) file.once("error", (error) => bytes.destroy(error));
  const decoder = new TextDecoder();
  for await (const piece of bytes) yield decoder.decode(piece as Uint8Array, { stream: true });
}

/**
 * Reads the points of a file, line by line; what is none comes with the reason.
 * @param precision of the times, where the file does not say; nanoseconds are the protocol's own
 */
export async function* readLineFile(
  path: string,
  precision: Precision | undefined,
  onBytes: (bytes: number) => void,
): AsyncGenerator<FileItem> {
  const parse = createLineParser();
  let kind: Chunk["kind"] = "samples";
  let unit: Precision = precision ?? "ns";
  for await (const { number, text } of readLines(readText(path, onBytes))) {
    if (text.startsWith("#")) {
      if (text.startsWith(context)) kind = text.slice(context.length).trim() === policies.hourly ? "hours" : "samples";
      if (text.startsWith(precisionComment) && precision === undefined)
        unit = text.slice(precisionComment.length).trim() as Precision;
      continue;
    }
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    if (line.trim() === "") continue;
    try {
      yield { number, kind, point: parse(line, unit) };
    } catch (thrown) {
      yield { number, reason: (thrown as Error).message, text: line };
    }
  }
}
