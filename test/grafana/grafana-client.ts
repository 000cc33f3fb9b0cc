/** Asks a Grafana by its HTTP API. */

export interface GrafanaClient {
  /** The parsed answer; a status that is no success throws with what the server said. */
  get(path: string): Promise<unknown>;
  post(path: string, body: object): Promise<unknown>;
}

export interface GrafanaAccess {
  readonly url: string;
  /** Of a service account with the role Admin; else user and password. */
  readonly token: string;
  readonly user: string;
  readonly password: string;
}

/** A query's answer may be in hand although its status is 400 or 207: some of its parts have failed. */
const readable = [200, 202, 207, 400];

export function openGrafana({ url, token, user, password }: GrafanaAccess): GrafanaClient {
  const credentials = token === "" ? `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` : `Bearer ${token}`;
  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
      ...init,
      headers: { authorization: credentials, "content-type": "application/json" },
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!readable.includes(response.status)) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
    return text === "" ? {} : JSON.parse(text);
  };
  return {
    get: (path) => ask(path, { method: "GET" }),
    post: (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) }),
  };
}

/** One part of what POST /api/ds/query and POST /api/v1/eval answer. */
export interface QueryResult {
  readonly error?: string;
  readonly frames?: readonly {
    readonly schema?: { readonly name?: string };
    readonly data?: { readonly values?: unknown[][] };
  }[];
}

interface QueryAnswer {
  readonly results?: Readonly<Record<string, QueryResult>>;
  readonly message?: string;
}

/** Sends queries of the datasource and expressions; answers by their letters. */
export async function runQueries(
  client: GrafanaClient,
  path: "/api/ds/query" | "/api/v1/eval",
  body: object,
): Promise<Readonly<Record<string, QueryResult>>> {
  const { results, message } = (await client.post(path, body)) as QueryAnswer;
  if (results === undefined) throw new Error(message ?? `${path} has no results`);
  return results;
}

/** Whether any frame has a row. */
export function hasRows({ frames = [] }: QueryResult): boolean {
  return frames.some(({ data }) => (data?.values?.[0]?.length ?? 0) > 0);
}
