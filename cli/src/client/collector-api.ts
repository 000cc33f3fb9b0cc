import { get } from "node:http";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { z } from "zod";

const patienceMs = 10_000;

interface Answer {
  readonly status: number;
  readonly text: string;
  /** The path of the next page, where there is one. */
  readonly next: string | undefined;
}

/** Reads where a header `Link` says that the next page is; only a path of the same collector is followed. */
function readNext(link: string | string[] | undefined): string | undefined {
  return /<(\/[^>]*)>; rel="next"/.exec([link].flat().join())?.[1];
}

/**
 * Reads what a collector answers at a path. It takes Node's own client, for fetch() brings WebAssembly along, whose
 * memory can't be had where address space is bounded (`ulimit -v`).
 */
function read(address: Address, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host, port } = address;
    const request = get({ host, port, path, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, next: readNext(response.headers.link) }));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

function explain(thrown: unknown): string {
  const { name, code, message } = thrown as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return `nothing within ${patienceMs / 1000} s`;
  // Where a name has several addresses, the error of them all carries no message.
  return message || code || errorMessage(thrown);
}

/**
 * Asks a collector for the text at a path.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers, COLLECTOR_FAILED when the answer is an error
 */
export async function askForText(address: Address, path: string): Promise<string> {
  return (await askForPage(address, path)).text;
}

async function askForPage(address: Address, path: string): Promise<Answer> {
  const where = formatAddress(address);
  let answer: Answer;
  try {
    answer = await read(address, path);
  } catch (cause) {
    throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no collector answers at ${where}: ${explain(cause)}`, { cause });
  }
  if (answer.status !== 200)
    throw new FleetmarkError(
      "COLLECTOR_FAILED",
      `http://${where}${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`,
    );
  return answer;
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
async function askForAll(address: Address, path: string): Promise<unknown> {
  const parts: unknown[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page: Answer = await askForPage(address, next);
    const part: unknown = JSON.parse(page.text);
    if (page.next === undefined && parts.length === 0) return part;
    parts.push(...(Array.isArray(part) ? part : [part]));
    next = page.next;
  }
  return parts;
}

/**
 * Asks a collector's HTTP API; the answer is checked by the shape that the API promises.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE, COLLECTOR_FAILED also when the answer has another shape
 */
export async function askCollector<S extends z.ZodType>(
  address: Address,
  what: string,
  shape: S,
  query: Query = {},
): Promise<z.infer<S>> {
  const path = formatPath(what, query);
  try {
    return shape.parse(await askForAll(address, path));
  } catch (cause) {
    if (cause instanceof FleetmarkError) throw cause;
    const url = `http://${formatAddress(address)}${path}`;
    const reason = errorMessage(cause).slice(0, 300);
    throw new FleetmarkError("COLLECTOR_FAILED", `${url} did not answer as a Fleetmark collector does: ${reason}`, { cause });
  }
}
