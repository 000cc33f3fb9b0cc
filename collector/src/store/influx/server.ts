import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { isLoopbackUrl } from "@fleetmark/shared/units";
import { HttpError, InfluxDB, setLogger, type WriteApi } from "@influxdata/influxdb-client";
import { z } from "zod";
import { StoreBusy } from "../store.js";

/** An InfluxDB server and where on it the data lies. */
export interface InfluxTarget {
  /** Such as `http://127.0.0.1:8086`. */
  readonly url: string;
  /** 1.x: the database; 2.x, 3.x and Cloud: the bucket, which a DBRP mapping of the same name makes a database for reads. */
  readonly database: string;
  /** 2.x, 3.x and Cloud; empty for 1.x. */
  readonly org: string;
  /** 2.x, 3.x and Cloud: the API token; 1.x: `user:password`, or empty where none is asked for. */
  readonly token: string;
  readonly timeoutMs: number;
}

/** One series of an answer: its tags, and rows of which the first value is the time in microseconds. */
export interface AnsweredSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly (string | number | boolean | null)[])[];
}

/** What became of a block of lines. */
export type WriteOutcome =
  | { readonly kind: "committed" }
  /** Larger than the server takes. */
  | { readonly kind: "too-large" }
  /** Some of its lines can't be stored, and sending them again would change nothing. */
  | { readonly kind: "refused"; readonly reason: string };

export interface InfluxServer {
  /**
   * Sends lines; when it resolves with `committed` they are durable.
   * @throws FleetmarkError STORE_FAILED saying what to do; nothing is known of the lines then
   */
  write(lines: readonly string[]): Promise<WriteOutcome>;
  /**
   * Asks in InfluxQL, the language that 1.x, 2.x and 3.x share.
   * @throws FleetmarkError STORE_FAILED
   */
  query(influxql: string): Promise<AnsweredSeries[]>;
  close(): Promise<void>;
}

/** What a person must do about an answer that no repetition mends. */
function explainStatus(status: number, target: InfluxTarget): string | undefined {
  switch (status) {
    case 401:
      return "it does not know these credentials: put a token (1.x: user:password) that is valid there into store.token_file";
    case 403:
      return `the credentials may not do this in ${JSON.stringify(target.database)}: give the token read and write permission for it`;
    case 404:
      return `it has no ${target.org === "" ? "database" : "bucket"} ${JSON.stringify(target.database)}${target.org === "" ? "" : ` in the organisation ${JSON.stringify(target.org)}`}: create it, or correct store.database`;
    default:
      return undefined;
  }
}

/** How much of a server's own words goes into a message. */
const shownLength = 300;

/** Finds the message in a body: InfluxDB's JSON, or the beginning of whatever came. */
function readMessage(body: string | undefined): string {
  const text = (body ?? "").trim();
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    if (typeof message === "string") return message.slice(0, shownLength);
    if (typeof error === "string") return error.slice(0, shownLength);
  } catch {
    // Not JSON: a proxy's page, most likely.
  }
  return text.replace(/\s+/g, " ").slice(0, shownLength);
}

function fail(target: InfluxTarget, what: string, cause?: unknown): FleetmarkError {
  return new FleetmarkError("STORE_FAILED", `InfluxDB at ${target.url}: ${what}`, { cause });
}

/**
 * Milliseconds that a server asks for, by seconds or a date (RFC 9110, § 10.2.3); 0 without a wish. The client's own reading takes the
 * seconds for milliseconds.
 */
function readRetryAfter({ headers }: HttpError): number {
  const text = String(headers?.["retry-after"] ?? "");
  if (/^\d+$/.test(text)) return Number(text) * 1e3;
  return Math.max(0, (Date.parse(text) || 0) - Date.now());
}

function explainFailure(target: InfluxTarget, thrown: unknown): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  if (!(thrown instanceof HttpError)) return fail(target, errorMessage(thrown), thrown);
  const remedy = explainStatus(thrown.statusCode, target);
  const said = readMessage(thrown.body);
  const what = `answered ${thrown.statusCode}${said === "" ? "" : ` (${said})`}${remedy === undefined ? "" : `; ${remedy}`}`;
  const retryAfterMs = readRetryAfter(thrown);
  if (retryAfterMs > 0) return new StoreBusy(`InfluxDB at ${target.url}: ${what}`, retryAfterMs, { cause: thrown });
  return fail(target, what, thrown);
}

/** Body sizes in bytes from which a block is compressed on its way to another machine; nearby, the time to compress is lost. */
const gzipFromBytes = 1000;

/** 1.x knows users and passwords (by a header that all of its versions read), its successors tokens. */
function describeCaller({ org, token }: InfluxTarget): Record<string, string> {
  if (token === "") return {};
  return { authorization: org === "" ? `Basic ${Buffer.from(token).toString("base64")}` : `Token ${token}` };
}

function openWriteApi(target: InfluxTarget): WriteApi {
  const client = new InfluxDB({ url: target.url, headers: describeCaller(target), timeout: target.timeoutMs });
  // One attempt for each block, sent when we say so: the client's own batches and retries would outlive the answer to the agent.
  const api = client.getWriteApi(target.org, target.database, "us", {
    maxRetries: 0,
    // A block is one record; at two the client would send by itself, and nobody would wait for the answer.
    batchSize: 2,
    maxBatchBytes: Number.MAX_SAFE_INTEGER,
    flushInterval: 0,
    gzipThreshold: isLoopbackUrl(target.url) ? Number.MAX_SAFE_INTEGER : gzipFromBytes,
  });
  if (target.org === "") api.path = `/write?db=${encodeURIComponent(target.database)}&precision=u`;
  return api;
}

// What the client would print is in the errors that it throws.
setLogger({ error: () => undefined, warn: () => undefined });

/** Opens the way to a server. Nothing is sent until something is written or asked. */
export function connectInflux(target: InfluxTarget): InfluxServer {
  const api = openWriteApi(target);
  return {
    write: async (lines) => {
      api.writeRecord(lines.join("\n"));
      try {
        await api.flush();
        return { kind: "committed" };
      } catch (thrown) {
        if (thrown instanceof HttpError && thrown.statusCode === 413) return { kind: "too-large" };
        if (thrown instanceof HttpError && (thrown.statusCode === 400 || thrown.statusCode === 422)) {
          return { kind: "refused", reason: readMessage(thrown.body) };
        }
        throw explainFailure(target, thrown);
      }
    },
    query: (influxql) => ask(target, influxql),
    close: () => api.close(),
  };
}

const answerSchema = z.object({
  results: z.array(
    z.object({
      error: z.string().optional(),
      series: z
        .array(
          z.object({
            name: z.string().default(""),
            tags: z.record(z.string(), z.string()).optional(),
            columns: z.array(z.string()),
            values: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))).default([]),
          }),
        )
        .default([]),
    }),
  ),
});

async function ask(target: InfluxTarget, influxql: string): Promise<AnsweredSeries[]> {
  const url = `${target.url.replace(/\/+$/, "")}/query?db=${encodeURIComponent(target.database)}&epoch=u`;
  try {
    const response = await fetch(url, {
      method: "POST",
      body: new URLSearchParams({ q: influxql }),
      headers: describeCaller(target),
      signal: AbortSignal.timeout(target.timeoutMs),
    });
    const body = await response.text();
    if (!response.ok) throw explainFailure(target, new HttpError(response.status, response.statusText, body));
    const answer = answerSchema.safeParse(JSON.parse(body));
    if (!answer.success) throw fail(target, `answered a query with something else: ${readMessage(body)}`);
    const [result] = answer.data.results;
    if (result?.error !== undefined) throw fail(target, `${result.error} (asked: ${influxql.slice(0, shownLength)})`);
    return result?.series ?? [];
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw fail(target, `answered a query with something that is not JSON: ${thrown.message}`);
    throw explainFailure(target, thrown);
  }
}
