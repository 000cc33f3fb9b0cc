import { dashboards } from "#grafana/dashboards/registry.js";
import type { Selection, TimeRange } from "./evaluation/expand.js";
import type { Answer, InfluxReader } from "./influx-reader.js";
import { expandQuery, listPanels, listQueries, type PlacedQuery, selectAll } from "./panel-queries.js";

export interface SlowQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly selection: string;
  readonly seconds: number;
}

export interface PanelReport {
  readonly dashboards: number;
  readonly panels: number;
  readonly queries_run: number;
  readonly failed: readonly string[];
  /** Empty answers by cause. */
  readonly empty: Readonly<Record<string, number>>;
  readonly empty_without_cause: readonly string[];
  readonly wrong_series: readonly string[];
  readonly over_one_second: number;
  readonly slowest: readonly SlowQuery[];
}

/** What is selected, and under which name it is reported. */
interface NamedSelection {
  readonly name: "all" | "one" | "several";
  readonly selection: Selection;
}

/** Panels of what goes wrong: hosts where nothing does have nothing to show there. */
const ofTrouble = /dropped|refused|rejected|lost|unreadable|in alert|off target/i;

/** Panels of how values change: after a single run there is none. */
const ofChange = /: change$|^Change /;

async function readValues(reader: InfluxReader, query: string): Promise<string[]> {
  const { series } = await reader.ask(query);
  return series.flatMap(({ values }) => values.map(([, value]) => String(value)));
}

/** All; one host with all else; several hosts and several of all else. */
async function chooseSelections(reader: InfluxReader, dashboard: PlacedQuery["dashboard"]): Promise<NamedSelection[]> {
  const all = selectAll(dashboard);
  const one: Record<string, readonly string[] | "all"> = { ...all };
  const several: Record<string, readonly string[] | "all"> = { ...all };
  for (const { place, query } of listQueries(dashboard)) {
    if (!place.startsWith("variable ")) continue;
    const name = place.slice("variable ".length);
    const values = await readValues(reader, query.query);
    const isHost = name === "host" || name === "collector";
    if (isHost) one[name] = values.slice(0, 1);
    several[name] = isHost ? values.slice(0, 2) : values;
  }
  return [
    { name: "all", selection: all },
    { name: "one", selection: one },
    { name: "several", selection: several },
  ];
}

/** The statement that reads a measurement itself, without those around it. */
function findInnermost(query: string): string {
  const from = query.indexOf('FROM "');
  const statement = query.slice(query.lastIndexOf("SELECT", from));
  let depth = 0;
  const end = [...statement].findIndex((char) => {
    depth += char === "(" ? 1 : char === ")" ? -1 : 0;
    return depth < 0;
  });
  return end < 0 ? statement : statement.slice(0, end);
}

/** The measurement that a query reads, and its fields and tags. */
function namesRead(query: string): { measurement: string; names: string[] } {
  const innermost = findInnermost(query).replace(/AS "[^"]*"/g, "");
  const measurement = /FROM "(\w+)"/.exec(innermost)?.[1] ?? "";
  return {
    measurement,
    names: [...innermost.matchAll(/"(\w+)"/g)].map((match) => match[1]).filter((name) => name !== measurement),
  };
}

/** Says why a query may be empty: nothing that it reads has been written. Undefined when all of it has. */
async function explainEmpty(reader: InfluxReader, query: string): Promise<string | undefined> {
  const { measurement, names } = namesRead(query);
  const fields = await reader.ask(`SHOW FIELD KEYS FROM "${measurement}"`);
  const tags = await reader.ask(`SHOW TAG KEYS FROM "${measurement}"`);
  const known = new Set([...fields.series, ...tags.series].flatMap(({ values }) => values.map(([name]) => String(name))));
  const missing = names.filter((name) => !known.has(name));
  if (known.size === 0) return `no ${measurement} was written`;
  return missing.length === 0 ? undefined : `no ${measurement} with ${missing.join(", ")} was written`;
}

/** Hosts named by an answer: by the tag of its series, or by a column. */
function hostsIn({ series }: Answer): Set<string> {
  return new Set(
    series.flatMap(({ tags, columns, values }) => {
      const column = columns.indexOf("host");
      return tags?.host !== undefined ? [tags.host] : column < 0 ? [] : values.map((row) => String(row[column]));
    }),
  );
}

/**
 * Runs every query of every dashboard with all, one and several selected, over a range, and tells what failed, what is
 * empty although data exist, and what has other hosts than those selected.
 * @param trouble whether the data hold some of everything that can go wrong, so that panels of it must show it
 */
export async function checkPanels(
  reader: InfluxReader,
  shown: TimeRange,
  trouble: "injected" | "none",
  slowest: number,
): Promise<PanelReport> {
  const failed: string[] = [];
  const emptyWithoutCause: string[] = [];
  const wrongSeries: string[] = [];
  const timings: SlowQuery[] = [];
  const empty: Record<string, number> = {};
  for (const dashboard of dashboards) {
    for (const { name, selection } of await chooseSelections(reader, dashboard)) {
      for (const placed of listQueries(dashboard)) {
        const where = `${dashboard.title}, ${placed.place} ${placed.query.refId}, ${name}`;
        const influxql = expandQuery(placed, selection, shown);
        const answer = await reader.ask(influxql);
        timings.push({ dashboard: dashboard.title ?? "", panel: placed.place, selection: name, seconds: answer.seconds });
        if (answer.error !== "") {
          failed.push(`${where}: ${answer.error}`);
          continue;
        }
        const mayBeQuiet = ofTrouble.test(placed.place) || placed.place === "annotation Environment changes";
        if (answer.series.length === 0 && ofChange.test(placed.place) && trouble === "none") {
          empty["one result is no change"] = (empty["one result is no change"] ?? 0) + 1;
          continue;
        }
        if (answer.series.length === 0) {
          const cause =
            mayBeQuiet && (trouble === "none" || name !== "all")
              ? "no trouble there"
              : await explainEmpty(reader, placed.query.query);
          if (cause === undefined) emptyWithoutCause.push(where);
          else empty[cause] = (empty[cause] ?? 0) + 1;
          continue;
        }
        const hosts = hostsIn(answer);
        const wanted = placed.query.query.includes('FROM "collector"') ? selection.collector : selection.host;
        if (mayBeQuiet || hosts.size === 0 || !Array.isArray(wanted)) continue;
        if (hosts.size !== wanted.length || wanted.some((host) => !hosts.has(host)))
          wrongSeries.push(`${where}: ${[...hosts].join(", ")}`);
      }
    }
  }
  return {
    dashboards: dashboards.length,
    panels: dashboards.reduce((sum, dashboard) => sum + listPanels(dashboard).length, 0),
    queries_run: timings.length,
    failed,
    empty,
    empty_without_cause: emptyWithoutCause,
    wrong_series: wrongSeries,
    over_one_second: timings.filter(({ seconds }) => seconds > 1).length,
    slowest: timings.sort((a, b) => b.seconds - a.seconds).slice(0, slowest),
  };
}
