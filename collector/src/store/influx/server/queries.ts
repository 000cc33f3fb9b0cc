import { HttpError } from "@influxdata/influxdb-client";
import { z } from "zod";
import { describeFailure, explainFailure, readMessage, shownLength } from "./failures.js";
import { buildUrl, describeCaller, type InfluxTarget } from "./target.js";

/** InfluxQL over /query, the language that 1.x, 2.x and 3.x share. */

/** One series of an answer: its tags, and rows of which the first value is the time in microseconds. */
export interface AnsweredSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly (string | number | boolean | null)[])[];
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

/**
 * Asks a statement.
 * @throws FleetmarkError STORE_FAILED when no answer comes; the server's word on a statement that it does not take is
 *   in the answer
 */
export async function ask(target: InfluxTarget, influxql: string): Promise<Answer> {
  const [answer] = await askEach(target, [influxql]);
  return answer ?? { series: [] };
}

/**
 * Asks statements, each of which is answered in its place as far as the server came.
 * @throws FleetmarkError STORE_FAILED when no answer comes
 */
export async function askEach(target: InfluxTarget, statements: readonly string[]): Promise<Answer[]> {
  try {
    const response = await fetch(buildUrl(target, "/query", { db: target.database, epoch: "u" }), {
      method: "POST",
      body: new URLSearchParams({ q: statements.join("; ") }),
      headers: describeCaller(target),
      signal: AbortSignal.timeout(target.timeoutMs),
    });
    const body = await response.text();
    if (!response.ok) throw new HttpError(response.status, response.statusText, body);
    const answer = answerSchema.safeParse(JSON.parse(body));
    if (!answer.success) throw describeFailure(target, `answered a query with something else: ${readMessage(body)}`);
    return answer.data.results.map(({ series, error }) => ({ series, error }));
  } catch (thrown) {
    if (thrown instanceof SyntaxError)
      throw describeFailure(target, `answered a query with something that is not JSON: ${thrown.message}`);
    throw explainFailure(target, thrown);
  }
}

/** Rows in one part of a streamed answer. */
const chunkRows = 10_000;

export async function* streamAnswer(target: InfluxTarget, influxql: string): AsyncGenerator<AnsweredSeries[]> {
  const stop = new AbortController();
  // The whole may take long; what must not is the wait for its next piece.
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(() => stop.abort(new Error(`nothing came for ${target.timeoutMs} ms`)), target.timeoutMs);
  };
  const parse = (line: string): AnsweredSeries[] => {
    const answer = answerSchema.safeParse(JSON.parse(line));
    if (!answer.success) throw describeFailure(target, `answered a query with something else: ${readMessage(line)}`);
    const [result] = answer.data.results;
    if (result?.error !== undefined) throw describeFailure(target, `${result.error} (asked: ${influxql.slice(0, shownLength)})`);
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
    if (thrown instanceof SyntaxError)
      throw describeFailure(target, `answered a query with something that is not JSON: ${thrown.message}`);
    throw explainFailure(target, thrown);
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
