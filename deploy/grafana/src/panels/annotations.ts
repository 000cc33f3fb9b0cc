import { AnnotationQueryBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "../queries/datasource.js";
import { as, renderSelect, type Select, selected } from "../queries/influxql.js";

interface Columns {
  readonly textColumn: string;
  readonly tagsColumn: string;
  readonly timeEndColumn?: string;
}

/** The shape in which Grafana's InfluxDB datasource keeps an annotation's query (its prepareAnnotation). */
function buildAnnotation(name: string, color: string, select: Select, columns: Columns): AnnotationQueryBuilder {
  const target = {
    refId: "Anno",
    name,
    query: renderSelect(select),
    queryType: "tags",
    fromAnnotations: true,
    titleColumn: "",
    timeEndColumn: "",
    ...columns,
    _implementsDataqueryVariant: () => {},
  };
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(datasource)
    .enable(true)
    .iconColor(color)
    .target({ build: () => target });
}

/** Shades each suite run on the selected hosts, from its begin to its end. */
export function runAnnotation(): AnnotationQueryBuilder {
  const select = { fields: ['"run"', '"ended_ms"', '"suite"', '"host"'], from: "run_window", where: [selected("host")] };
  // The end by its full name: Grafana compares that with the names of the answered frames, while it looks for the
  // others within them.
  const columns = { textColumn: "host", tagsColumn: "suite", timeEndColumn: "run_window.ended_ms" };
  return buildAnnotation("Runs", "blue", select, columns);
}

/** Marks the first run after a host's environment changed: kernel, driver, governor, runtime versions. */
export function environmentAnnotation(): AnnotationQueryBuilder {
  const changes: Select = {
    fields: [as('difference("environment")', "change")],
    from: "run_window",
    where: [selected("host")],
    groupBy: ["host"],
  };
  const select = { fields: ['"change"', '"host"'], from: changes, where: ['"change" != 0'] };
  return buildAnnotation("Environment changes", "purple", select, { textColumn: "host", tagsColumn: "" });
}
