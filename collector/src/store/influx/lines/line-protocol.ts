import type { Series } from "@fleetmark/shared/model/series";
import type { Samples } from "../../store.js";

/**
 * InfluxDB's line protocol: `measurement,tag=value field=1.5,text="x" 1700000000000000`, times in microseconds. Names
 * need no escaping: they are letters, digits and _. Numbers are floats, but where the store has another type for a
 * field.
 */

/** What of the line protocol servers read differently. */
export interface LineDialect {
  /** Returns what follows a whole number in a field: `i` of an integer, nothing of a float, as by default. */
  readonly findSuffix?: (series: Series) => string;
  /**
   * Whether a backslash in a tag's value is written twice, as InfluxDB 3 needs it before a comma, an equals sign, a
   * space or another backslash; for its ancestors a backslash stands for itself, and two are two.
   */
  readonly doublesBackslash?: boolean;
}

/** Writes a tag's value: commas, equals signs and spaces are escaped. */
function formatTagValue(value: string, doublesBackslash: boolean): string {
  return value.replace(doublesBackslash ? /[,= \\]/g : /[,= ]/g, "\\$&");
}

export function formatHead({ measurement, tags }: Series, doublesBackslash = false): string {
  const keys = Object.keys(tags).filter((key) => tags[key] !== "");
  return [measurement, ...keys.sort().map((key) => `${key}=${formatTagValue(tags[key], doublesBackslash)}`)].join(",");
}

/** Returns what of a line comes before its fields: measurement and tags. */
export function cutHead(line: string): string {
  return line.slice(0, /(?<!\\) /.exec(line)?.index);
}

/** The heads of dictionaries that came before: a host sends the same ones again and again, and they never change. */
const headsOfDictionaries = {
  plain: new WeakMap<readonly Series[], readonly string[]>(),
  doubled: new WeakMap<readonly Series[], readonly string[]>(),
};

/** Returns the head of each series. Neighbours mostly share their measurement and tags, and then the head. */
function formatHeads(series: readonly Series[], doublesBackslash: boolean): readonly string[] {
  const ofDialect = headsOfDictionaries[doublesBackslash ? "doubled" : "plain"];
  const known = ofDialect.get(series);
  if (known !== undefined) return known;
  let head = "";
  const heads = series.map((each, i) => {
    const before = series[i - 1];
    if (i === 0 || each.tags !== before.tags || each.measurement !== before.measurement)
      head = formatHead(each, doublesBackslash);
    return head;
  });
  ofDialect.set(series, heads);
  return heads;
}

/** What is no whole number of the field's type is written as a float, for the server to judge. */
function formatNumberField(value: number, suffix: string): string {
  if (Object.is(value, -0)) return `-0${suffix}`;
  const fits = suffix !== "" && Number.isSafeInteger(value) && (value >= 0 || suffix !== "u");
  return fits ? `${value}${suffix}` : String(value);
}

function formatTextField(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** The lines of one measurement and tag set, by their times. */
interface OpenLines {
  readonly head: string;
  readonly atTime: Map<number, number>;
}

/** A field of a series, and where it goes. */
interface FieldSlot {
  readonly lines: OpenLines;
  /** `usage_user=` */
  readonly field: string;
  readonly suffix: string;
  /** The line that it was written to last. */
  writtenAt: number;
}

/** Lines as they grow. Samples of one point mostly follow each other, so that the last line is at hand. */
interface GrowingLines {
  readonly lines: string[];
  readonly times: number[];
  last: OpenLines | undefined;
  lastAt: number;
}

/** Whether a line may hold a field: a text that looks like it counts too. */
function mayHold(line: string, field: string): boolean {
  return line.includes(` ${field}`) || line.includes(`,${field}`);
}

/**
 * Adds a field to the line of its moment. One that the line has already, as when a clock was set back, begins another
 * line for the moment: the later one wins there, and InfluxDB 3 refuses a whole line that names a field twice.
 */
function addField(growing: GrowingLines, slot: FieldSlot, timeUs: number, text: string): void {
  const { lines, times } = growing;
  const own = slot.lines;
  let isNew = false;
  if (own !== growing.last || times[growing.lastAt] !== timeUs) {
    const at = own.atTime.get(timeUs);
    isNew = at === undefined || mayHold(lines[at], slot.field);
    growing.last = own;
    if (at !== undefined) growing.lastAt = at;
  } else {
    isNew = slot.writtenAt === growing.lastAt;
  }
  if (isNew) {
    growing.lastAt = lines.push(`${own.head} ${slot.field}${text}`) - 1;
    times.push(timeUs);
    own.atTime.set(timeUs, growing.lastAt);
  } else {
    lines[growing.lastAt] += `,${slot.field}${text}`;
  }
  slot.writtenAt = growing.lastAt;
}

/**
 * Returns one line for each moment of each measurement and tag set of the batches, in the order of their first samples.
 */
export function formatLines(batches: readonly Samples[], dialect: LineDialect = {}): string[] {
  const { findSuffix = () => "", doublesBackslash = false } = dialect;
  const heads = new Map<string, OpenLines>();
  const growing: GrowingLines = { lines: [], times: [], last: undefined, lastAt: -1 };
  for (const { series, numbers, texts } of batches) {
    const ownHeads = formatHeads(series, doublesBackslash);
    let found: OpenLines = { head: "", atTime: new Map() };
    const slots = series.map((each, i): FieldSlot => {
      const head = ownHeads[i];
      if (head !== found.head) {
        found = heads.get(head) ?? { head, atTime: new Map() };
        heads.set(head, found);
      }
      return { lines: found, field: `${each.field}=`, suffix: findSuffix(each), writtenAt: -1 };
    });
    growing.last = undefined;
    numbers.series.forEach((index, i) => {
      const slot = slots[index];
      addField(growing, slot, numbers.timeUs[i], formatNumberField(numbers.values[i], slot.suffix));
    });
    texts.series.forEach((index, i) => {
      addField(growing, slots[index], texts.timeUs[i], formatTextField(texts.values[i]));
    });
  }
  return growing.lines.map((line, i) => `${line} ${growing.times[i]}`);
}
