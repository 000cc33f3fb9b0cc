import { FleetmarkError } from "@fleetmark/shared/errors";
import { HttpError } from "@influxdata/influxdb-client";
import { describeFailure, explainFailure } from "./failures.js";
import { buildUrl, describeApiCaller, describeCaller, type InfluxTarget } from "./target.js";

/** What is asked of a server beside InfluxQL: its version, and the API of 2.x and 3.x. */

/**
 * Asks the API of 2.x and 3.x and returns the body.
 * @throws FleetmarkError STORE_FAILED
 */
export async function askApi(
  target: InfluxTarget,
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
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

/** Whether a failure is the server's word that there is no such thing. */
export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof FleetmarkError && thrown.cause instanceof HttpError && thrown.cause.statusCode === 404;
}

/**
 * Runs a Flux query for what it does (2.x). One that fails on its way answers 200 all the same, with a table of errors.
 * @throws FleetmarkError STORE_FAILED
 */
export async function runFlux(target: InfluxTarget, orgID: string, query: string): Promise<void> {
  const answer = await askApi(target, "POST", "/api/v2/query", {
    parameters: { orgID },
    body: { query, type: "flux" },
  });
  const lines = answer.split(/\r?\n/);
  const at = lines.findIndex((line) => /^,?(result,table,)?error,reference/.test(line));
  if (at !== -1) throw describeFailure(target, lines[at + 1] ?? "a query failed");
}
