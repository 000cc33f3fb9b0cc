import type { Series } from "@fleetmark/shared/series";
import type { Samples } from "../store.js";

/**
 * InfluxDB's line protocol: `measurement,tag=value field=1.5,text="x" 1700000000000000`, times in microseconds. Names need no escaping:
 * they are letters, digits and _. Numbers are floats always, so that no writer's habit can make a field's type conflict.
 */

/** Writes a tag's value: commas, equals signs and spaces are escaped, a backslash stands for itself. */
function formatTagValue(value: string): string {
  return value.replace(/[,= ]/g, "\\$&");
}

export function formatHead({ measurement, tags }: Series): string {
  const keys = Object.keys(tags).filter((key) => tags[key] !== "");
  return [measurement, ...keys.sort().map((key) => `${key}=${formatTagValue(tags[key])}`)].join(",");
}

function formatNumberField(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function formatTextField(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * Returns one line for each moment of each measurement and tag set of the batches, in the order of their first samples.
 * @param isInteger tells the fields that are integers: none of what is measured
 */
export function formatLines(batches: readonly Samples[], isInteger: (field: string) => boolean = () => false): string[] {
  const lines = new Map<string, string>();
  for (const { series, numbers, texts } of batches) {
    const heads = series.map(formatHead);
    const suffixes = series.map(({ field }) => (isInteger(field) ? "i" : ""));
    const add = (index: number, timeUs: number, value: string): void => {
      const key = `${timeUs} ${heads[index]}`;
      const field = `${series[index].field}=${value}`;
      const before = lines.get(key);
      lines.set(key, before === undefined ? `${heads[index]} ${field}` : `${before},${field}`);
    };
    numbers.series.forEach((index, i) => {
      add(index, numbers.timeUs[i], formatNumberField(numbers.values[i]) + suffixes[index]);
    });
    texts.series.forEach((index, i) => {
      add(index, texts.timeUs[i], formatTextField(texts.values[i]));
    });
  }
  return Array.from(lines, ([key, line]) => `${line} ${key.slice(0, key.indexOf(" "))}`);
}
