import type { Columns } from "@fleetmark/shared/model/batch";
import type { Samples } from "./store.js";

export function emptyColumns<V>(): Columns<V> {
  return { series: [], timeUs: [], values: [] };
}

export function countOf({ numbers, texts }: Samples): number {
  return numbers.series.length + texts.series.length;
}

function filterColumns<V>(columns: Columns<V>, keep: readonly boolean[]): Columns<V> {
  const kept = emptyColumns<V>();
  columns.series.forEach((series, i) => {
    if (!keep[series]) return;
    kept.series.push(series);
    kept.timeUs.push(columns.timeUs[i]);
    kept.values.push(columns.values[i]);
  });
  return kept;
}

/** Returns the samples of the series that are to be kept; the series stay as they are. */
export function selectSamples(
  { series, numbers, texts }: Samples,
  keeps: (series: Samples["series"][number], kind: "numbers" | "texts") => boolean,
): Samples {
  return {
    series,
    numbers: filterColumns(
      numbers,
      series.map((each) => keeps(each, "numbers")),
    ),
    texts: filterColumns(
      texts,
      series.map((each) => keeps(each, "texts")),
    ),
  };
}
