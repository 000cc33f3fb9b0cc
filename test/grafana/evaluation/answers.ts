/**
 * What Grafana makes of InfluxDB's answers: series for charts and alerts, tables for tables. After its
 * influxql/converter.
 */

export type Cell = number | string | null;

/** One series as InfluxDB's /query gives it. */
export interface AnsweredSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly Cell[])[];
}

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timesMs: readonly number[];
  readonly values: readonly Cell[];
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Names a series by its alias, or as Grafana does without one: `measurement.column {tag: value}`. */
function nameSeries(alias: string | undefined, { name, tags = {} }: AnsweredSeries, column: string): string {
  if (alias !== undefined) {
    return alias.replace(/\$(tag_(\w+)|col)/g, (_, word: string, tag: string) => (word === "col" ? column : (tags[tag] ?? "")));
  }
  const labels = Object.entries(tags).map(([key, value]) => `${key}: ${value}`);
  return `${name}.${column}${labels.length === 0 ? "" : ` { ${labels.join(", ")} }`}`;
}

/** One series for each column of each answered one but the time. */
export function readSeries(answers: readonly AnsweredSeries[], alias?: string): Series[] {
  return answers.flatMap((answer) =>
    answer.columns.slice(1).map((column, i) => ({
      name: nameSeries(alias, answer, column),
      labels: answer.tags ?? {},
      timesMs: answer.values.map((row) => Number(row[0])),
      values: answer.values.map((row) => row[i + 1]),
    })),
  );
}

/** One table of all answered series, with a column for each tag after the time. */
export function readTable(answers: readonly AnsweredSeries[]): Table {
  if (answers.length === 0) return { columns: [], rows: [] };
  const tags = Object.keys(answers[0].tags ?? {});
  const columns = ["Time", ...tags, ...answers[0].columns.slice(1)];
  const rows = answers.flatMap((answer) =>
    answer.values.map(([time, ...values]) => [time, ...tags.map((tag) => answer.tags?.[tag] ?? null), ...values]),
  );
  return { columns, rows };
}

/** Grafana's transformation filterFieldsByName, as far as these dashboards use it. */
export function dropColumns(table: Table, pattern: RegExp): Table {
  const kept = table.columns.flatMap((column, i) => (pattern.test(column) ? [] : [i]));
  return { columns: kept.map((i) => table.columns[i]), rows: table.rows.map((row) => kept.map((i) => row[i])) };
}

/** Grafana's transformation joinByField with mode outer. */
export function joinTables(tables: readonly Table[], key: string): Table {
  const filled = tables.filter(({ columns }) => columns.includes(key));
  const keys = [...new Set(filled.flatMap(({ columns, rows }) => rows.map((row) => row[columns.indexOf(key)])))];
  const others = filled.map(({ columns }) => columns.filter((column) => column !== key));
  const lookups = filled.map(({ columns, rows }) => new Map(rows.map((row) => [row[columns.indexOf(key)], row])));
  const rows = keys.map((value) => [
    value,
    ...filled.flatMap(({ columns }, t) => others[t].map((column) => lookups[t].get(value)?.[columns.indexOf(column)] ?? null)),
  ]);
  return { columns: [key, ...others.flat()], rows };
}
