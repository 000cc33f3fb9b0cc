import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";

/** A series out of a file: its values without the missing ones, where each stood, and times where there are any. */
export interface Series {
  readonly values: readonly number[];
  readonly places: readonly number[];
  readonly times: readonly (string | number)[] | undefined;
}

/** Longest series that is read. */
const mostValues = 1_000_000;

interface Entry {
  readonly value: number | undefined;
  readonly time: string | number | undefined;
}

function refuse(source: string, what: string): never {
  throw new FleetmarkError("USAGE", `${source}: ${what}`);
}

const isTime = (value: unknown): value is string | number => typeof value === "string" || typeof value === "number";

/** Reads an element of a JSON array: a number, null, [time, value], or { time, value }. */
function readElement(element: unknown, at: number, source: string): Entry {
  if (element === null) return { value: undefined, time: undefined };
  if (typeof element === "number") return { value: element, time: undefined };
  const isPair = Array.isArray(element) && element.length === 2;
  const { time, value } = isPair
    ? { time: element[0], value: element[1] }
    : { ...(element as { time?: unknown; value?: unknown }) };
  if (value === null) return { value: undefined, time: isTime(time) ? time : undefined };
  if (typeof value !== "number" || (time !== undefined && !isTime(time)))
    refuse(source, `element ${at} is no number, no pair of time and value, and no object with a value`);
  return { value, time };
}

function parseJson(text: string, source: string): Entry[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    refuse(source, "it begins as JSON and is none");
  }
  if (!Array.isArray(document)) refuse(source, "it is JSON, and no array");
  return document.map((element, at) => readElement(element, at, source));
}

/** What stands for a value that is missing. */
const missing = /^(|na|nan|null|none|-)$/i;

function chooseColumn(header: readonly string[], column: string | undefined, source: string): number {
  if (column === undefined) return header.length - 1;
  const index = header.indexOf(column);
  if (index < 0) refuse(source, `there is no column ${column}; ${suggest(column, header)}`);
  return index;
}

function parseCsv(text: string, source: string, column: string | undefined): Entry[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const separator = [";", "\t", ","].find((each) => lines[0]?.includes(each)) ?? ",";
  const rows = lines.map((line) => line.split(separator).map((field) => field.trim().replace(/^"(.*)"$/, "$1")));
  const [first = []] = rows;
  const hasHeader = column !== undefined || (Number.isNaN(Number(first.at(-1))) && !missing.test(first.at(-1) ?? ""));
  const index = hasHeader ? chooseColumn(first, column, source) : first.length - 1;
  return rows.slice(hasHeader ? 1 : 0).map((row, i) => {
    const field = row[index] ?? "";
    const time = index > 0 ? row[0] : undefined;
    if (missing.test(field)) return { value: undefined, time };
    const value = Number(field);
    if (!Number.isFinite(value))
      refuse(source, `line ${i + (hasHeader ? 2 : 1)}: ${JSON.stringify(field.slice(0, 50))} is no number`);
    return { value, time };
  });
}

/**
 * Reads a series from JSON or CSV.
 * @param column of a CSV file with a header; default: the last
 * @throws FleetmarkError USAGE that says where it is wrong
 */
export function parseSeries(text: string, source: string, column?: string): Series {
  const bare = text.replace(/^\uFEFF/, "").trim();
  if (bare === "") refuse(source, "it is empty");
  const entries = /^[[{]/.test(bare) ? parseJson(bare, source) : parseCsv(bare, source, column);
  if (entries.length > mostValues) refuse(source, `it has ${entries.length} values, and ${mostValues} are read at most`);
  const places = entries.flatMap(({ value }, i) => (value === undefined ? [] : [i]));
  const values = places.map((i) => entries[i]?.value ?? 0);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) refuse(source, `element ${places[wrong]} is ${values[wrong]}`);
  const times = places.map((i) => entries[i]?.time);
  return { values, places, times: times.every(isTime) && times.length > 0 ? (times as (string | number)[]) : undefined };
}
