import { createServer, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

/**
 * A server of InfluxDB's API v2 and v3 that remembers what it was told. Its statuses and bodies are those that
 * InfluxDB 2.7.12 and 3.6 gave.
 */
export interface ApiStandIn {
  readonly url: string;
  /** What it was asked to change. */
  readonly asked: string[];
  readonly tokens: Set<string | undefined>;
  readonly state: StandInState;
}

type Item = Record<string, unknown>;

export interface StandInState {
  readonly buckets: Item[];
  readonly dbrps: Item[];
  readonly tasks: Item[];
  readonly databases: Item[];
  /** Lines that were written, by bucket. */
  readonly lines: Map<string, string[]>;
  /** How many things of a kind were made ever: an id is not given twice. */
  readonly made: Map<string, number>;
}

interface Request {
  readonly method: string;
  readonly path: readonly string[];
  readonly parameters: URLSearchParams;
  readonly body: string;
}

type Answer = readonly [status: number, json?: unknown];

const orgID = "0123456789abcdef";
const dayS = 86_400;

const notFound = (message: string): Answer => [404, { code: "not found", message }];

function makeId({ made }: StandInState, kind: string): string {
  const count = made.get(kind) ?? 0;
  made.set(kind, count + 1);
  return `${kind}${String(count).padStart(15, "0")}`;
}

/** Buckets without an end have a rule all the same: their shard groups are a week long. */
function makeRule(given: Item | undefined, before?: Item): Item {
  const everySeconds = given?.everySeconds ?? before?.everySeconds ?? 0;
  const asked = given?.shardGroupDurationSeconds ?? before?.shardGroupDurationSeconds ?? 0;
  const usual = everySeconds === 0 || Number(everySeconds) > 180 * dayS ? 7 * dayS : dayS;
  return { type: "expire", everySeconds, shardGroupDurationSeconds: asked === 0 ? usual : asked };
}

function refuseRule({ everySeconds, shardGroupDurationSeconds }: Item): Answer | undefined {
  const isShort = Number(everySeconds) > 0 && Number(everySeconds) < Number(shardGroupDurationSeconds);
  const message = "retention policy duration must be greater than the shard duration";
  return isShort ? [422, { code: "unprocessable entity", message }] : undefined;
}

function answerBuckets(state: StandInState, { method, path, parameters, body }: Request): Answer {
  const { buckets } = state;
  const id = path[3];
  const own = buckets.find((bucket) => bucket.id === id);
  if (method === "POST") {
    const given = JSON.parse(body) as Item;
    const rule = makeRule((given.retentionRules as Item[])[0]);
    const refused = refuseRule(rule);
    if (refused !== undefined) return refused;
    const bucket = { ...given, id: makeId(state, "b"), retentionRules: [rule] };
    buckets.push(bucket);
    return [201, bucket];
  }
  if (id !== undefined && own === undefined) return notFound("bucket not found");
  if (own === undefined) {
    const name = parameters.get("name");
    const found = buckets.filter((bucket) => bucket.name === name);
    return found.length === 0 ? notFound(`bucket "${name}" not found`) : [200, { buckets: found }];
  }
  if (method === "PATCH") {
    const given = JSON.parse(body) as { name?: string; retentionRules?: Item[] };
    const before = (own.retentionRules as Item[])[0];
    // An empty list changes nothing.
    const rule = given.retentionRules?.[0] === undefined ? before : makeRule(given.retentionRules[0], before);
    const refused = refuseRule(rule);
    if (refused !== undefined) return refused;
    Object.assign(own, { name: given.name ?? own.name, retentionRules: [rule] });
  }
  return [200, own];
}

function answerMappings(state: StandInState, { method, path, parameters, body }: Request): Answer {
  const { dbrps, buckets } = state;
  const at = dbrps.findIndex(({ id }) => id === path[3]);
  if (method === "POST") {
    const mapping = { id: makeId(state, "d"), virtual: false, ...(JSON.parse(body) as Item) };
    dbrps.push(mapping);
    return [201, mapping];
  }
  if (method === "DELETE") {
    dbrps.splice(at, 1);
    return [204];
  }
  const db = parameters.get("db");
  const mapped = dbrps.filter(({ database }) => database === db);
  // A bucket is a database by its name alone, too.
  const virtual = buckets
    .filter(({ name }) => name === db && !mapped.some(({ retention_policy }) => retention_policy === "autogen"))
    .map(({ id, name }) => ({
      id,
      bucketID: id,
      database: name,
      retention_policy: "autogen",
      default: mapped.length === 0,
      virtual: true,
    }));
  return [200, { content: [...mapped, ...virtual] }];
}

function answerTasks({ tasks }: StandInState, { method, path, parameters }: Request): Answer {
  if (method === "DELETE") {
    tasks.splice(
      tasks.findIndex(({ id }) => id === path[3]),
      1,
    );
    return [204];
  }
  return [200, { links: {}, tasks: tasks.filter(({ name }) => name === parameters.get("name")) }];
}

/** InfluxQL as far as a setup asks for marks: the fields of one measurement, from the bucket that is mapped. */
function answerQuery({ dbrps, buckets, lines }: StandInState, { body }: Request): Answer {
  const results = (new URLSearchParams(body).get("q") ?? "").split("; ").map((statement, id) => {
    const [, policy = "autogen", measurement] = /FROM (?:"(\w+)"\.)?"(\w+)"/.exec(statement) ?? [];
    const mapping = dbrps.find(({ retention_policy }) => retention_policy === policy);
    if (measurement !== undefined && mapping === undefined)
      return { statement_id: id, error: `retention policy not found: ${policy}` };
    const name = buckets.find((bucket) => bucket.id === mapping?.bucketID)?.name;
    const own = (lines.get(String(name)) ?? []).filter((line) => line.startsWith(`${measurement} `));
    const values = own.slice(-1).map((line) => [0, Number(/=(\d+)/.exec(line)?.[1])]);
    return { statement_id: id, series: values.length === 0 ? [] : [{ name: measurement, columns: ["time", "value"], values }] };
  });
  return [200, { results }];
}

function answerDatabases({ databases }: StandInState, { method, body }: Request): Answer {
  if (method === "GET") return [200, databases.map(({ db }) => ({ "iox::database": db }))];
  const given = JSON.parse(body) as Item;
  const own = databases.find(({ db }) => db === given.db);
  if (method === "PUT") {
    if (own === undefined) return notFound("the requested resource was not found");
    Object.assign(own, { retention_period: given.retention_period });
    return [200];
  }
  databases.push(given);
  return [200];
}

/** InfluxDB 3 tells of its databases in SQL: a period in nanoseconds, or null. */
function answerSql({ databases }: StandInState): Answer {
  return [
    200,
    databases.map(({ db, retention_period }) => ({
      database_name: db,
      retention_period_ns: typeof retention_period === "string" ? Number.parseInt(retention_period, 10) * 3.6e12 : undefined,
      deleted: false,
    })),
  ];
}

function answer(state: StandInState, request: Request): Answer {
  const [api, , kind] = request.path;
  if (api === "query") return answerQuery(state, request);
  if (kind === "query_sql") return answerSql(state);
  if (kind === "configure") return answerDatabases(state, request);
  if (kind === "buckets") return answerBuckets(state, request);
  if (kind === "dbrps") return answerMappings(state, request);
  if (kind === "tasks") return answerTasks(state, request);
  if (kind === "orgs") {
    const org = request.parameters.get("org");
    return org === "plant" ? [200, { orgs: [{ id: orgID, name: org }] }] : notFound(`organization name "${org}" not found`);
  }
  if (kind === "write") {
    const bucket = request.parameters.get("bucket") ?? "";
    if (!state.buckets.some(({ name }) => name === bucket)) return notFound(`bucket "${bucket}" not found`);
    state.lines.set(bucket, [...(state.lines.get(bucket) ?? []), ...request.body.split("\n")]);
    return [204];
  }
  return [200];
}

function send(response: ServerResponse, version: string, kind: string | undefined, [status, json]: Answer): void {
  const type = kind === "query" ? "text/csv" : "application/json";
  response.writeHead(status, { "content-type": type, "x-influxdb-version": version });
  response.end(json === undefined ? "" : JSON.stringify(json));
}

export async function startApiStandIn(version: string): Promise<ApiStandIn> {
  const asked: string[] = [];
  const tokens = new Set<string | undefined>();
  const state: StandInState = { buckets: [], dbrps: [], tasks: [], databases: [], lines: new Map(), made: new Map() };
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "", "http://x");
      const path = url.pathname.split("/").slice(1);
      if (path[0] === "ping") return send(response, version, undefined, [version.startsWith("3") ? 200 : 204]);
      tokens.add(incoming.headers.authorization);
      const request = { method: incoming.method ?? "", path, parameters: url.searchParams, body };
      const isChange = request.method !== "GET" && path[0] === "api" && path[2] !== "write" && path[2] !== "query_sql";
      if (isChange) asked.push(`${request.method} ${url.pathname} ${body}`.trim());
      send(response, version, path[2], answer(state, request));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, asked, tokens, state };
}
