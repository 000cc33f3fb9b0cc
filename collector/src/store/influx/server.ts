import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { isLoopbackUrl } from "@fleetmark/shared/model/units";
import { HttpError, InfluxDB, setLogger, type WriteApi } from "@influxdata/influxdb-client";
import { z } from "zod";
import { StoreBusy } from "../store.js";
import { type Place, places } from "./rollup.js";

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
  /** Whether blocks are compressed; by default on the way to another machine alone, for nearby the time to compress is lost. */
  readonly gzip?: boolean;
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
   * Sends lines to a place, by default to the database's own; when it resolves with `committed` they are durable.
   * @throws FleetmarkError STORE_FAILED saying what to do; nothing is known of the lines then
   */
  write(lines: readonly string[], place?: Place): Promise<WriteOutcome>;
  /**
   * Asks in InfluxQL, the language that 1.x, 2.x and 3.x share.
   * @throws FleetmarkError STORE_FAILED
   */
  query(influxql: string): Promise<AnsweredSeries[]>;
  /**
   * Asks in InfluxQL for more than fits into memory: the answer comes in parts.
   * @throws FleetmarkError STORE_FAILED, also after some parts
   */
  stream(influxql: string): AsyncIterable<AnsweredSeries[]>;
  /**
   * Whether `fleetmark store setup` has made the place. Once found it is remembered; until then the server is asked every time.
   * @throws FleetmarkError STORE_FAILED
   */
  hasPlace(place: Place): Promise<boolean>;
  /** Whether the place was found before. */
  knowsPlace(place: Place): boolean;
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
      return `it has no ${target.org === "" ? "database" : "bucket"} ${JSON.stringify(target.database)}${target.org === "" ? "" : ` in the organisation ${JSON.stringify(target.org)}`}: run \`fleetmark store setup\` to create it, or correct store.database`;
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
    const { message, error, data } = JSON.parse(text) as { message?: unknown; error?: unknown; data?: unknown };
    // InfluxDB 3 lists the lines at fault.
    const fault = Array.isArray(data) ? (data[0] as { error_message?: unknown } | null)?.error_message : undefined;
    const said = typeof message === "string" ? message : error;
    if (typeof said === "string") return `${said}${typeof fault === "string" ? `: ${fault}` : ""}`.slice(0, shownLength);
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

function explainFailure(
  target: InfluxTarget,
  thrown: unknown,
  explain: (status: number, target: InfluxTarget) => string | undefined = explainStatus,
): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  if (!(thrown instanceof HttpError)) return fail(target, errorMessage(thrown), thrown);
  const said = readMessage(thrown.body);
  const remedy = /retention policy not found/.test(said)
    ? "a place that was set up is gone: run `fleetmark store setup` again"
    : explain(thrown.statusCode, target);
  const what = `answered ${thrown.statusCode}${said === "" ? "" : ` (${said})`}${remedy === undefined ? "" : `; ${remedy}`}`;
  const retryAfterMs = readRetryAfter(thrown);
  if (retryAfterMs > 0) return new StoreBusy(`InfluxDB at ${target.url}: ${what}`, retryAfterMs, { cause: thrown });
  return fail(target, what, thrown);
}

/** Body size in bytes from which a block is compressed, if blocks are. */
const gzipFromBytes = 1000;

/** 1.x knows users and passwords (by a header that all of its versions read), its successors tokens, which hold no colon. */
function describeCaller({ org, token }: InfluxTarget): Record<string, string> {
  if (token === "") return {};
  return {
    authorization: org === "" && token.includes(":") ? `Basic ${Buffer.from(token).toString("base64")}` : `Token ${token}`,
  };
}

/** Names the bucket (2.x) of a place. A slash in it would make a second default mapping of the database, which InfluxDB 2.x trips over. */
export function nameBucket(database: string, place?: Place): string {
  return place === undefined ? database : `${database}_${places[place]}`;
}

function openWriteApi(target: InfluxTarget, place?: Place): WriteApi {
  const client = new InfluxDB({ url: target.url, headers: describeCaller(target), timeout: target.timeoutMs });
  // One attempt for each block, sent when we say so: the client's own batches and retries would outlive the answer to the agent.
  const api = client.getWriteApi(target.org, nameBucket(target.database, place), "us", {
    maxRetries: 0,
    // A block is one record; at two the client would send by itself, and nobody would wait for the answer.
    batchSize: 2,
    maxBatchBytes: Number.MAX_SAFE_INTEGER,
    flushInterval: 0,
    gzipThreshold: (target.gzip ?? !isLoopbackUrl(target.url)) ? gzipFromBytes : Number.MAX_SAFE_INTEGER,
  });
  const policy = place === undefined ? "" : `&rp=${places[place]}`;
  if (target.org === "") api.path = `/write?db=${encodeURIComponent(target.database)}${policy}&precision=u`;
  return api;
}

// What the client would print is in the errors that it throws.
setLogger({ error: () => undefined, warn: () => undefined });

/** Opens the way to a server. Nothing is sent until something is written or asked. */
export function connectInflux(target: InfluxTarget): InfluxServer {
  const apis = new Map<Place | undefined, WriteApi>();
  const found = new Set<Place>();
  return {
    write: async (lines, place) => {
      const api = apis.get(place) ?? openWriteApi(target, place);
      apis.set(place, api);
      api.writeRecord(lines.join("\n"));
      try {
        await api.flush();
        return { kind: "committed" };
      } catch (thrown) {
        if (thrown instanceof HttpError && thrown.statusCode === 413) return { kind: "too-large" };
        if (thrown instanceof HttpError && (thrown.statusCode === 400 || thrown.statusCode === 422)) {
          return { kind: "refused", reason: readMessage(thrown.body) };
        }
        throw explainFailure({ ...target, database: nameBucket(target.database, place) }, thrown);
      }
    },
    query: async (influxql) => {
      const { series, error } = await ask(target, influxql);
      if (error !== undefined) throw fail(target, `${error} (asked: ${influxql.slice(0, shownLength)})`);
      return series;
    },
    stream: (influxql) => streamAnswer(target, influxql),
    hasPlace: async (place) => {
      if (!found.has(place) && (await findPlace(target, place))) found.add(place);
      return found.has(place);
    },
    knowsPlace: (place) => found.has(place),
    close: async () => {
      for (const api of apis.values()) await api.close();
    },
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

/** What a statement was answered: series, or the server's word on why not. */
interface Answer {
  readonly series: AnsweredSeries[];
  readonly error?: string;
}

export function buildUrl(target: InfluxTarget, path: string, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return `${target.url.replace(/\/+$/, "")}${path}${query === "" ? "" : `?${query}`}`;
}

async function ask(target: InfluxTarget, influxql: string): Promise<Answer> {
  try {
    const response = await fetch(buildUrl(target, "/query", { db: target.database, epoch: "u" }), {
      method: "POST",
      body: new URLSearchParams({ q: influxql }),
      headers: describeCaller(target),
      signal: AbortSignal.timeout(target.timeoutMs),
    });
    const body = await response.text();
    if (!response.ok) throw new HttpError(response.status, response.statusText, body);
    const answer = answerSchema.safeParse(JSON.parse(body));
    if (!answer.success) throw fail(target, `answered a query with something else: ${readMessage(body)}`);
    const [result] = answer.data.results;
    return { series: result?.series ?? [], error: result?.error };
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw fail(target, `answered a query with something that is not JSON: ${thrown.message}`);
    throw explainFailure(target, thrown);
  }
}

/** Rows in one part of a streamed answer. */
const chunkRows = 10_000;

async function* streamAnswer(target: InfluxTarget, influxql: string): AsyncGenerator<AnsweredSeries[]> {
  const stop = new AbortController();
  // The whole may take long; what must not is the wait for its next piece.
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(() => stop.abort(new Error(`nothing came for ${target.timeoutMs} ms`)), target.timeoutMs);
  };
  const parse = (line: string): AnsweredSeries[] => {
    const answer = answerSchema.safeParse(JSON.parse(line));
    if (!answer.success) throw fail(target, `answered a query with something else: ${readMessage(line)}`);
    const [result] = answer.data.results;
    if (result?.error !== undefined) throw fail(target, `${result.error} (asked: ${influxql.slice(0, shownLength)})`);
    return result?.series ?? [];
  };
  try {
    wait();
    const parameters = { db: target.database, epoch: "u", chunked: "true", chunk_size: String(chunkRows) };
    const response = await fetch(buildUrl(target, "/query", parameters), {
      method: "POST",
      body: new URLSearchParams({ q: influxql }),
      headers: describeCaller(target),
      signal: stop.signal,
    });
    if (!response.ok) throw new HttpError(response.status, response.statusText, await response.text());
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      clearTimeout(timer);
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) if (line.trim() !== "") yield parse(line);
      wait();
    }
    if (rest.trim() !== "") yield parse(rest);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw fail(target, `answered a query with something that is not JSON: ${thrown.message}`);
    throw explainFailure(target, thrown);
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/**
 * Asks the API of 2.x and 3.x and returns the body.
 * @throws FleetmarkError STORE_FAILED
 */
export async function askApi(
  target: InfluxTarget,
  method: "GET" | "POST" | "PATCH",
  path: string,
  { parameters = {}, body }: { parameters?: Readonly<Record<string, string>>; body?: unknown },
): Promise<string> {
  try {
    const response = await fetch(buildUrl(target, path, parameters), {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { ...describeApiCaller(target, path), "content-type": "application/json" },
      signal: AbortSignal.timeout(target.timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new HttpError(response.status, response.statusText, text);
    return text;
  } catch (thrown) {
    throw explainFailure(target, thrown, () => undefined);
  }
}

/** The API of 3.x takes its tokens as bearers. */
function describeApiCaller({ token }: InfluxTarget, path: string): Record<string, string> {
  if (token === "") return {};
  return { authorization: `${path.startsWith("/api/v3/") ? "Bearer" : "Token"} ${token}` };
}

/** Says which InfluxDB answers there, such as 1.8.10 or 3.4.1; undefined where it does not tell. */
export async function readServerVersion(target: InfluxTarget): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(target.timeoutMs);
    const response = await fetch(buildUrl(target, "/ping"), { headers: describeCaller(target), signal });
    const body = await response.text();
    const said = response.headers.get("x-influxdb-version") ?? /"version"\s*:\s*"([^"]+)"/.exec(body)?.[1];
    return said?.replace(/^v/, "");
  } catch (thrown) {
    throw explainFailure(target, thrown);
  }
}

/** Places are retention policies, which InfluxDB 3 does not have. */
async function findPlace(target: InfluxTarget, place: Place): Promise<boolean> {
  if ((await readServerVersion(target))?.startsWith("3") === true) return false;
  try {
    const { series, error } = await ask(target, `SELECT "value" FROM "${places[place]}"."fleetmark_check" LIMIT 1`);
    // Servers that take lines and know no InfluxQL answer with something of their own.
    return error === undefined && series.every(({ name }) => name === "fleetmark_check");
  } catch (thrown) {
    // What has no such database or mapping may say so by its status too.
    const status = thrown instanceof FleetmarkError && thrown.cause instanceof HttpError ? thrown.cause.statusCode : 0;
    if (status === 400 || status === 404) return false;
    throw thrown;
  }
}

/**
 * Runs a Flux query for what it does (2.x). One that fails on its way answers 200 all the same, with a table of errors.
 * @throws FleetmarkError STORE_FAILED
 */
export async function runFlux(target: InfluxTarget, query: string): Promise<void> {
  const answer = await askApi(target, "POST", "/api/v2/query", {
    parameters: { org: target.org },
    body: { query, type: "flux" },
  });
  const lines = answer.split(/\r?\n/);
  const at = lines.findIndex((line) => /^,?(result,table,)?error,reference/.test(line));
  if (at !== -1) throw fail(target, lines[at + 1] ?? "a query failed");
}
