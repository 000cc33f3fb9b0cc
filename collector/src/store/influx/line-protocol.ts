import type { Series } from "@fleetmark/shared/model/series";
import type { Samples } from "../store.js";

/**
 * InfluxDB's line protocol: `measurement,tag=value field=1.5,text="x" 1700000000000000`, times in microseconds. Names
 * need no escaping: they are letters, digits and _. Numbers are floats always, so that no writer's habit can make a
 * field's type conflict.
 */

/** Writes a tag's value: commas, equals signs and spaces are escaped, a backslash stands for itself. */
function formatTagValue(value: string): string {
  return value.replace(/[,= ]/g, "\\$&");
}

export function formatHead({ measurement, tags }: Series): string {
  const keys = Object.keys(tags).filter((key) => tags[key] !== "");
  return [measurement, ...keys.sort().map((key) => `${key}=${formatTagValue(tags[key])}`)].join(",");
}

/** Returns what of a line comes before its fields: measurement and tags. */
export function cutHead(line: string): string {
  return line.slice(0, /(?<!\\) /.exec(line)?.index);
}

/** The heads of dictionaries that came before: a host sends the same ones again and again, and they never change. */
const headsOfDictionaries = new WeakMap<readonly Series[], readonly string[]>();

/** Returns the head of each series. Neighbours mostly share their measurement and tags, and then the head. */
function formatHeads(series: readonly Series[]): readonly string[] {
  const known = headsOfDictionaries.get(series);
  if (known !== undefined) return known;
  let head = "";
  const heads = series.map((each, i) => {
    const before = series[i - 1];
    if (i === 0 || each.tags !== before.tags || each.measurement !== before.measurement) head = formatHead(each);
    return head;
  });
  headsOfDictionaries.set(series, heads);
  return heads;
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
  const heads = new Map<string, OpenLines>();
  const lines: string[] = [];
  const times: number[] = [];
  for (const { series, numbers, texts } of batches) {
    const ownHeads = formatHeads(series);
    let found: OpenLines = { head: "", atTime: new Map() };
    const known = series.map((each, i) => {
      const head = ownHeads[i];
      if (head !== found.head) {
        found = heads.get(head) ?? { head, atTime: new Map() };
        heads.set(head, found);
      }
      return { lines: found, field: `${each.field}=`, suffix: isInteger(each.field) ? "i" : "" };
    });
    // Samples of one point mostly follow each other.
    let [last, lastAt]: [OpenLines | undefined, number] = [undefined, -1];
    const add = (own: OpenLines, timeUs: number, field: string): void => {
      if (own !== last || times[lastAt] !== timeUs) {
        const at = own.atTime.get(timeUs);
        last = own;
        if (at === undefined) {
          lastAt = lines.push(`${own.head} ${field}`) - 1;
          times.push(timeUs);
          own.atTime.set(timeUs, lastAt);
          return;
        }
        lastAt = at;
      }
      lines[lastAt] += `,${field}`;
    };
    numbers.series.forEach((index, i) => {
      const { lines: own, field, suffix } = known[index];
      add(own, numbers.timeUs[i], field + formatNumberField(numbers.values[i]) + suffix);
    });
    texts.series.forEach((index, i) => {
      const { lines: own, field } = known[index];
      add(own, texts.timeUs[i], field + formatTextField(texts.values[i]));
    });
  }
  return lines.map((line, i) => `${line} ${times[i]}`);
}

/** The lines of one measurement and tag set, by their times. */
interface OpenLines {
  readonly head: string;
  readonly atTime: Map<number, number>;
}
