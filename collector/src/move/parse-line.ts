import { checkSeries, type Point } from "@fleetmark/shared/model/series";

/** What precedes the fields of a line, unescaped. */
interface Head {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
}

export const precisions = ["ns", "us", "ms", "s"] as const;
export type Precision = (typeof precisions)[number];

/** Parses a line of InfluxDB's line protocol. Throws an Error that says what is wrong with it. */
export type ParseLine = (line: string, precision: Precision) => Point;

/** Heads that are remembered: a file repeats its series over and over. */
const rememberedHeads = 50_000;

/**
 * Finds the first of a character that no backslash escapes; -1 where there is none. A backslash before a backslash is
 * just that.
 */
function findBare(text: string, wanted: string, from: number): number {
  let at = text.indexOf(wanted, from);
  while (at > 0 && text[at - 1] === "\\") at = text.indexOf(wanted, at + 1);
  return at;
}

function splitBare(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let at = findBare(text, separator, 0); at !== -1; at = findBare(text, separator, start)) {
    parts.push(text.slice(start, at));
    start = at + 1;
  }
  parts.push(text.slice(start));
  return parts;
}

function unescapeName(text: string): string {
  return text.includes("\\") ? text.replace(/\\([,= ])/g, "$1") : text;
}

function parseHead(text: string): Head {
  const [measurement, ...pairs] = splitBare(text, ",");
  const tags: Record<string, string> = {};
  for (const pair of pairs) {
    const at = findBare(pair, "=", 0);
    if (at <= 0 || at === pair.length - 1) throw new Error(`a tag without key or value: ${JSON.stringify(pair.slice(0, 60))}`);
    const key = unescapeName(pair.slice(0, at));
    if (key in tags) throw new Error(`the tag ${JSON.stringify(key.slice(0, 60))} is given twice`);
    tags[key] = unescapeName(pair.slice(at + 1));
  }
  return { measurement: unescapeName(measurement), tags };
}

const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function parseNumber(text: string): number {
  const digits = /^[+-]?\d+[iu]$/.test(text) ? text.slice(0, -1) : text;
  const value = numberPattern.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isFinite(value)) return value;
  if (/^(t|T|true|True|TRUE|f|F|false|False|FALSE)$/.test(text)) throw new Error("a boolean: fields are numbers or texts here");
  throw new Error(`${JSON.stringify(text.slice(0, 60))} is no finite number, and no text in quotes`);
}

/** Returns where the text that begins after the quote at `from` ends, or -1. */
export function findTextEnd(line: string, from: number): number {
  for (let i = from + 1; i < line.length; i++) {
    if (line[i] === "\\") i++;
    else if (line[i] === '"') return i;
  }
  return -1;
}

/** Reads fields from a position on; returns them with the position of what follows. */
function parseFields(line: string, from: number): { fields: Record<string, number | string>; end: number } {
  const fields: Record<string, number | string> = {};
  let at = from;
  for (;;) {
    const equals = findBare(line, "=", at);
    if (equals <= at) throw new Error("no fields");
    const key = unescapeName(line.slice(at, equals));
    let end: number;
    if (line[equals + 1] === '"') {
      const close = findTextEnd(line, equals + 1);
      if (close === -1) throw new Error(`the text of ${JSON.stringify(key.slice(0, 60))} has no end`);
      fields[key] = line.slice(equals + 2, close).replace(/\\(["\\])/g, "$1");
      end = close + 1;
    } else {
      end = equals + 1;
      while (end < line.length && line[end] !== "," && line[end] !== " ") end++;
      fields[key] = parseNumber(line.slice(equals + 1, end));
    }
    if (line[end] !== ",") return { fields, end };
    at = end + 1;
  }
}

/** Returns microseconds. Nanoseconds would lose their low digits in a double, so that these are cut off as text. */
function parseTime(text: string, precision: Precision): number {
  if (!/^-?\d+$/.test(text)) throw new Error(text === "" ? "no time" : `${JSON.stringify(text.slice(0, 60))} is no time`);
  const timeUs =
    precision === "ns" ? Number(BigInt(text) / 1000n) : Number(text) * (precision === "us" ? 1 : precision === "ms" ? 1e3 : 1e6);
  if (!Number.isSafeInteger(timeUs) || timeUs < 0) throw new Error(`the time ${text.slice(0, 60)} is out of range`);
  return timeUs;
}

export function createLineParser(): ParseLine {
  const heads = new Map<string, Head>();
  const checked = new Set<string>();
  return (line, precision) => {
    const headEnd = findBare(line, " ", 0);
    if (headEnd <= 0) throw new Error("no fields");
    const headText = line.slice(0, headEnd);
    let head = heads.get(headText);
    if (head === undefined) {
      head = parseHead(headText);
      checkSeries({ ...head, field: "x" });
      if (heads.size >= rememberedHeads) heads.clear();
      heads.set(headText, head);
    }
    const { fields, end } = parseFields(line, headEnd + 1);
    for (const field of Object.keys(fields)) {
      if (checked.has(field)) continue;
      checkSeries({ measurement: head.measurement, tags: {}, field });
      if (checked.size < rememberedHeads) checked.add(field);
    }
    return { ...head, timeUs: parseTime(line.slice(end).trim(), precision), fields };
  };
}
