import type { DuckDBConnection } from "@duckdb/node-api";
import { canonicalTags, type Series } from "@fleetmark/shared/model/series";

/** A series as the store numbers it. */
export interface StoredSeries extends Series {
  readonly id: number;
  /** Equal for the series of one measurement whose samples of one time form a point. */
  readonly tagsText: string;
}

/** The series of one measurement and tag set, by field. */
type Siblings = Map<string, StoredSeries>;

/**
 * The series of the store, in memory: half a million of them for 10 000 hosts, at some 200 bytes. Those of one
 * measurement and tag set share their tags, and all share the names, of which there are few.
 */
export interface SeriesIndex {
  /** By number, of which 0 is none: the length is the next number. */
  readonly byId: (StoredSeries | undefined)[];
  readonly byMeasurement: Map<string, StoredSeries[]>;
  /** By measurement and tags. */
  readonly siblings: Map<string, Siblings>;
  readonly names: Map<string, string>;
  /** The numbers of the series of dictionaries that were stored whole: a host sends the same ones again and again. */
  readonly byDictionary: WeakMap<readonly Series[], Int32Array>;
}

export function createSeriesIndex(): SeriesIndex {
  return { byId: [undefined], byMeasurement: new Map(), siblings: new Map(), names: new Map(), byDictionary: new WeakMap() };
}

function nameSiblings(measurement: string, tagsText: string): string {
  return `${measurement}\n${tagsText}`;
}

/** Adds a series whose number is committed. */
export function addStoredSeries(index: SeriesIndex, series: StoredSeries): void {
  const share = (name: string): string => {
    const known = index.names.get(name);
    if (known === undefined) index.names.set(name, name);
    return known ?? name;
  };
  const name = nameSiblings(series.measurement, series.tagsText);
  const siblings: Siblings = index.siblings.get(name) ?? new Map();
  index.siblings.set(name, siblings);
  const [elder] = siblings.values();
  const { tags, tagsText } = elder ?? series;
  const field = share(series.field);
  const stored = { id: series.id, measurement: share(series.measurement), field, tags, tagsText };
  siblings.set(field, stored);
  index.byId[stored.id] = stored;
  const ofMeasurement = index.byMeasurement.get(stored.measurement);
  if (ofMeasurement === undefined) index.byMeasurement.set(stored.measurement, [stored]);
  else ofMeasurement.push(stored);
}

/** Numbers a new series without adding it to the index: that waits for the commit. */
export function numberSeries(id: number, series: Series, tagsText = canonicalTags(series.tags)): StoredSeries {
  return { id, measurement: series.measurement, field: series.field, tags: series.tags, tagsText };
}

export async function loadSeriesIndex(connection: DuckDBConnection): Promise<SeriesIndex> {
  const index = createSeriesIndex();
  const rows = (await connection.runAndReadAll("SELECT id, measurement, field, tags FROM series ORDER BY id")).getRowsJS();
  for (const [id, measurement, field, tags] of rows) {
    const series = { measurement: measurement as string, field: field as string, tags: JSON.parse(tags as string) };
    addStoredSeries(index, numberSeries(id as number, series));
  }
  return index;
}

/**
 * Finds the series of a store. It is quickest where those of one measurement and tag set follow each other and share
 * their tags.
 */
export interface SeriesFinder {
  find(series: Series): StoredSeries | undefined;
  /** Numbers a series that was not found; from then on it is. */
  add(id: number, series: Series): StoredSeries;
}

/** Creates a finder that sees the index, and beside it what was numbered by itself. */
export function createSeriesFinder(index: SeriesIndex): SeriesFinder {
  const added = new Map<string, Siblings>();
  let tags: Series["tags"] | undefined;
  let measurement: string | undefined;
  let tagsText = "";
  let committed: Siblings | undefined;
  let fresh: Siblings | undefined;

  const turnTo = (series: Series): void => {
    if (series.tags === tags && series.measurement === measurement) return;
    if (series.tags !== tags) tagsText = canonicalTags(series.tags);
    ({ tags, measurement } = series);
    const name = nameSiblings(series.measurement, tagsText);
    committed = index.siblings.get(name);
    fresh = added.get(name);
  };

  return {
    find: (series) => {
      turnTo(series);
      return committed?.get(series.field) ?? fresh?.get(series.field);
    },
    add: (id, series) => {
      turnTo(series);
      if (fresh === undefined) {
        fresh = new Map();
        added.set(nameSiblings(series.measurement, tagsText), fresh);
      }
      const numbered = numberSeries(id, series, tagsText);
      fresh.set(series.field, numbered);
      return numbered;
    },
  };
}

/** Returns the series of one field whose tags include all the given ones. */
export function findSeries(
  index: SeriesIndex,
  measurement: string,
  field: string,
  tags: Readonly<Record<string, string | undefined>>,
): StoredSeries[] {
  const wanted = Object.entries(tags).filter(([, value]) => value !== undefined);
  const siblings = index.byMeasurement.get(measurement) ?? [];
  return siblings.filter(
    (series) => series.field === field && wanted.every(([key, value]) => (series.tags[key] ?? "") === value),
  );
}
