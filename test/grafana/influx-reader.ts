import type { AnsweredSeries } from "./evaluation/answers.js";

/** What a query came to. */
export interface Answer {
  readonly series: readonly AnsweredSeries[];
  /** What the server said is wrong; empty when nothing is. */
  readonly error: string;
  readonly seconds: number;
}

export interface InfluxReader {
  ask(influxql: string): Promise<Answer>;
}

interface QueryBody {
  readonly error?: string;
  readonly results?: readonly { readonly error?: string; readonly series?: readonly AnsweredSeries[] }[];
}

/** Asks a server as Grafana's InfluxDB datasource does: POST /query, times in milliseconds. */
export function openReader(url: string, database = "fleetmark"): InfluxReader {
  return {
    async ask(influxql) {
      const begin = performance.now();
      const response = await fetch(`${url}/query?db=${database}&epoch=ms`, {
        method: "POST",
        body: new URLSearchParams({ q: influxql }),
      });
      const body = (await response.json()) as QueryBody;
      const seconds = (performance.now() - begin) / 1000;
      const result = body.results?.[0];
      return { series: result?.series ?? [], error: body.error ?? result?.error ?? "", seconds };
    },
  };
}
