import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import { datasource } from "./datasource.js";
import { renderSelect, type Select } from "./influxql.js";

/** A query as Grafana's InfluxDB datasource reads it. The SDK has builders for other datasources, not for this one. */
export interface InfluxQuery extends Dataquery {
  refId: string;
  datasource: typeof datasource;
  query: string;
  rawQuery: true;
  resultFormat: "time_series" | "table";
  /** Name of each series: `$tag_host`, `$col`. */
  alias?: string;
}

/** Returns the letter by which a panel's query goes: A for the first, as Grafana numbers them. */
export function letterOf(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

/** A query whose answer is one series for each group. */
export function querySeries(refId: string, select: Select, alias?: string): InfluxQuery {
  return buildQuery({
    refId,
    query: renderSelect(select),
    resultFormat: "time_series",
    ...(alias === undefined ? {} : { alias }),
  });
}

/** A query whose answer is one table with a column for each tag of the groups. */
export function queryTable(refId: string, select: Select): InfluxQuery {
  return buildQuery({ refId, query: renderSelect(select), resultFormat: "table" });
}

function buildQuery(parts: Pick<InfluxQuery, "refId" | "query" | "resultFormat" | "alias">): InfluxQuery {
  return { ...parts, datasource, rawQuery: true, _implementsDataqueryVariant: () => {} };
}

/** A finished query as the builder that the SDK's panels want. */
export function asBuilder(query: InfluxQuery): Builder<Dataquery> {
  return { build: () => query };
}
