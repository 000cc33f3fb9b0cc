import { FleetmarkError } from "@fleetmark/shared/errors";
import { isLoopbackUrl } from "@fleetmark/shared/model/units";
import { HttpError, InfluxDB, setLogger, type WriteApi } from "@influxdata/influxdb-client";
import { describeFailure, explainFailure, readMessage, shownLength } from "./failures.js";
import { type Generation, readGeneration } from "./generation.js";
import { type PolicyName, policies } from "./policies.js";
import { type AnsweredSeries, ask, askEach, streamAnswer } from "./queries.js";
import { describeCaller, type InfluxTarget, nameBucket } from "./target.js";

/** What became of a block of lines. */
export type WriteOutcome =
  | { readonly kind: "committed" }
  /** Larger than the server takes. */
  | { readonly kind: "too-large" }
  /** Some of its lines can't be stored, and sending them again would change nothing. */
  | { readonly kind: "refused"; readonly reason: string };

export interface InfluxServer {
  /** What InfluxQL knows the data by. */
  readonly database: string;
  /**
   * Sends lines under a policy, by default the database's own; when it resolves with `committed` they are durable.
   * @throws FleetmarkError STORE_FAILED saying what to do; nothing is known of the lines then
   */
  write(lines: readonly string[], policy?: PolicyName): Promise<WriteOutcome>;
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
   * Asks in InfluxQL several statements at once; the answers come in their order.
   * @throws FleetmarkError STORE_FAILED when one of them fails
   */
  queryEach(statements: readonly string[]): Promise<AnsweredSeries[][]>;
  /**
   * Which InfluxDB it is: asked once, and remembered.
   * @throws FleetmarkError STORE_FAILED
   */
  identify(): Promise<Generation>;
  /** Which InfluxDB it was found to be; undefined before it was asked. */
  generation(): Generation | undefined;
  /**
   * Whether `fleetmark store setup` has made the policy. Once found it is remembered; until then the server is asked
   * every time.
   * @throws FleetmarkError STORE_FAILED
   */
  hasPolicy(policy: PolicyName): Promise<boolean>;
  /** Whether the policy was found before. */
  knowsPolicy(policy: PolicyName): boolean;
  close(): Promise<void>;
}

/** Body size in bytes from which a block is compressed, if blocks are. */
const gzipFromBytes = 1000;

function openWriteApi(target: InfluxTarget, policy?: PolicyName): WriteApi {
  const client = new InfluxDB({ url: target.url, headers: describeCaller(target), timeout: target.timeoutMs });
  // One attempt for each block, sent when we say so: the client's own batches and retries would outlive the answer to
  // the agent.
  const api = client.getWriteApi(target.org, nameBucket(target.database, policy), "us", {
    maxRetries: 0,
    // A block is one record; at two the client would send by itself, and nobody would wait for the answer.
    batchSize: 2,
    maxBatchBytes: Number.MAX_SAFE_INTEGER,
    flushInterval: 0,
    gzipThreshold: (target.gzip ?? !isLoopbackUrl(target.url)) ? gzipFromBytes : Number.MAX_SAFE_INTEGER,
  });
  const suffix = policy === undefined ? "" : `&rp=${policies[policy]}`;
  if (target.org === "") api.path = `/write?db=${encodeURIComponent(target.database)}${suffix}&precision=u`;
  return api;
}

/** A way to write, and the credentials that it was made with: its client holds on to them. */
interface Writing {
  readonly api: WriteApi;
  readonly authorization: string | undefined;
}

/** Returns the way to write under a policy, made anew when the token was rotated. */
function findWriteApi({ target, writings }: Connection, policy: PolicyName | undefined): WriteApi {
  const { authorization } = describeCaller(target);
  const known = writings.get(policy);
  if (known !== undefined && known.authorization === authorization) return known.api;
  const api = openWriteApi(target, policy);
  writings.set(policy, { api, authorization });
  return api;
}

// What the client would print is in the errors that it throws.
setLogger({ error: () => undefined, warn: () => undefined });

/** What is kept of a server between requests. */
interface Connection {
  readonly target: InfluxTarget;
  readonly writings: Map<PolicyName | undefined, Writing>;
  readonly found: Set<PolicyName>;
  generation: Generation | undefined;
}

async function writeLines(
  connection: Connection,
  lines: readonly string[],
  policy: PolicyName | undefined,
): Promise<WriteOutcome> {
  const { target } = connection;
  const api = findWriteApi(connection, policy);
  api.writeRecord(lines.join("\n"));
  try {
    await api.flush();
    return { kind: "committed" };
  } catch (thrown) {
    if (thrown instanceof HttpError && thrown.statusCode === 413) return { kind: "too-large" };
    if (thrown instanceof HttpError && (thrown.statusCode === 400 || thrown.statusCode === 422)) {
      return { kind: "refused", reason: readMessage(thrown.body) };
    }
    throw explainFailure({ ...target, database: nameBucket(target.database, policy) }, thrown);
  }
}

async function identify(connection: Connection): Promise<Generation> {
  connection.generation ??= await readGeneration(connection.target);
  return connection.generation;
}

/** Policies are what InfluxDB 3 does not have. */
async function findPolicy(connection: Connection, policy: PolicyName): Promise<boolean> {
  if ((await identify(connection)) === "3") return false;
  const { target } = connection;
  try {
    const { series, error } = await ask(target, `SELECT "value" FROM "${policies[policy]}"."fleetmark_check" LIMIT 1`);
    // Servers that take lines and know no InfluxQL answer with something of their own.
    return error === undefined && series.every(({ name }) => name === "fleetmark_check");
  } catch (thrown) {
    // What has no such database or mapping may say so by its status too.
    const status = thrown instanceof FleetmarkError && thrown.cause instanceof HttpError ? thrown.cause.statusCode : 0;
    if (status === 400 || status === 404) return false;
    throw thrown;
  }
}

/** Opens the way to a server. Nothing is sent until something is written or asked. */
export function connectInflux(target: InfluxTarget): InfluxServer {
  const connection: Connection = { target, writings: new Map(), found: new Set(), generation: undefined };
  const { writings, found } = connection;
  return {
    database: target.database,
    write: (lines, policy) => writeLines(connection, lines, policy),
    query: async (influxql) => {
      const { series, error } = await ask(target, influxql);
      if (error !== undefined) throw describeFailure(target, `${error} (asked: ${influxql.slice(0, shownLength)})`);
      return series;
    },
    queryEach: async (statements) => {
      const answers = await askEach(target, statements);
      return answers.map(({ series, error }, i) => {
        if (error === undefined) return series;
        throw describeFailure(target, `${error} (asked: ${statements[i].slice(0, shownLength)})`);
      });
    },
    stream: (influxql) => streamAnswer(target, influxql),
    identify: () => identify(connection),
    generation: () => connection.generation,
    hasPolicy: async (policy) => {
      if (!found.has(policy) && (await findPolicy(connection, policy))) found.add(policy);
      return found.has(policy);
    },
    knowsPolicy: (policy) => found.has(policy),
    close: async () => {
      for (const { api } of writings.values()) await api.close();
    },
  };
}
