import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { z } from "zod";
import { readRefusal } from "./asking.js";
import { type Endpoint, formatUrl } from "./endpoint.js";
import { exchange, type Received } from "./exchange.js";

const patienceMs = 10_000;

/** Reads where a header `Link` says that the next page is; only a path of the same collector is followed. */
function readNext(link: string | string[] | undefined): string | undefined {
  return /<(\/[^>]*)>; rel="next"/.exec([link].flat().join())?.[1];
}

/**
 * Asks a collector for the text at a path.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers, COLLECTOR_FAILED when the answer is an error,
 *   or what the collector gave as its reason
 */
export async function askForText(endpoint: Endpoint, path: string): Promise<string> {
  return (await askForPage(endpoint, path)).text;
}

async function askForPage(endpoint: Endpoint, path: string): Promise<Received> {
  const answer = await exchange(endpoint, path, { patienceMs });
  if (answer.status === 200) return answer;
  throw readRefusal(formatUrl(endpoint, path), answer);
}

/** What a question holds: undefined parts are left out. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Writes a path under /api/v1 with what it is asked. */
function formatPath(what: string, query: Query): string {
  const parts = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [key, String(each)]),
  );
  return `/api/v1/${what}${parts.length === 0 ? "" : `?${new URLSearchParams(parts)}`}`;
}

/** Asks for an answer with all of its pages: lists are joined. */
async function askForAll(endpoint: Endpoint, path: string): Promise<unknown> {
  const parts: unknown[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const { text, headers }: Received = await askForPage(endpoint, next);
    const part: unknown = JSON.parse(text);
    next = readNext(headers.link);
    if (next === undefined && parts.length === 0) return part;
    parts.push(...(Array.isArray(part) ? part : [part]));
  }
  return parts;
}

/**
 * Asks a collector's HTTP API; the answer is checked by the shape that the API promises.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE, COLLECTOR_FAILED also when the answer has another shape
 */
export async function askCollector<S extends z.ZodType>(
  endpoint: Endpoint,
  what: string,
  shape: S,
  query: Query = {},
): Promise<z.infer<S>> {
  const path = formatPath(what, query);
  try {
    return shape.parse(await askForAll(endpoint, path));
  } catch (cause) {
    if (cause instanceof FleetmarkError) throw cause;
    const url = formatUrl(endpoint, path);
    const reason = errorMessage(cause).slice(0, 300);
    throw new FleetmarkError("COLLECTOR_FAILED", `${url} did not answer as a Fleetmark collector does: ${reason}`, { cause });
  }
}
