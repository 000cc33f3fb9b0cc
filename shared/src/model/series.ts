import { FleetmarkError } from "../errors.js";

/** What a stream of samples measures: Telegraf's model, so that its dashboards work on this data. */
export interface Series {
  readonly measurement: string;
  /** Bounded labels. Run ids and free text are fields, never tags. */
  readonly tags: Readonly<Record<string, string>>;
  readonly field: string;
}

/** One moment of one measurement: every field shares the tags and the time. */
export interface Point {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Microseconds since the Unix epoch, an integer (exact in a double until 2255). */
  readonly timeUs: number;
  /** Numbers are stored as 64-bit floats, strings as text. */
  readonly fields: Readonly<Record<string, number | string>>;
}

/** Limits that every series keeps to, on both ends of the wire. Lengths are in UTF-16 code units. */
export const seriesLimits = { nameLength: 128, tagValueLength: 512, tags: 16, textLength: 65_536 } as const;

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const controlCharacter = /\p{Cc}/u;

/**
 * Checks the name of a measurement, a field or a tag.
 * @throws FleetmarkError SERIES_INVALID
 */
export function checkName(what: string, name: string): void {
  if (name.length > seriesLimits.nameLength) {
    throw new FleetmarkError("SERIES_INVALID", `${what} of ${name.length} characters (the limit is ${seriesLimits.nameLength})`);
  }
  // Maps keyed by names are plain objects, on which this one name is no key but the prototype.
  if (!namePattern.test(name) || name === "__proto__") {
    throw new FleetmarkError("SERIES_INVALID", `${what} ${JSON.stringify(name)} is not a name: letters, digits and _ only`);
  }
}

/**
 * Checks a series against the naming rules and limits.
 * @throws FleetmarkError SERIES_INVALID naming the part that is wrong
 */
export function checkSeries(series: Series): void {
  checkName("measurement", series.measurement);
  checkName("field", series.field);
  checkTags(series);
}

/**
 * Checks the tags of a series, and the name of its measurement and field not.
 * @throws FleetmarkError SERIES_INVALID naming the part that is wrong
 */
export function checkTags(series: Pick<Series, "measurement" | "tags">): void {
  const keys = Object.keys(series.tags);
  if (keys.length > seriesLimits.tags) {
    throw new FleetmarkError(
      "SERIES_INVALID",
      `${keys.length} tags on ${series.measurement} (the limit is ${seriesLimits.tags})`,
    );
  }
  for (const key of keys) {
    checkName("tag key", key);
    const value = series.tags[key];
    if (value.length > seriesLimits.tagValueLength) {
      throw new FleetmarkError(
        "SERIES_INVALID",
        `tag ${key} of ${series.measurement} has ${value.length} characters (the limit is ${seriesLimits.tagValueLength})`,
      );
    }
    if (controlCharacter.test(value)) {
      throw new FleetmarkError("SERIES_INVALID", `tag ${key} of ${series.measurement} holds a control character`);
    }
    // InfluxDB's line protocol has no way to write it: the backslash would escape what follows the value.
    if (value.endsWith("\\")) {
      throw new FleetmarkError("SERIES_INVALID", `tag ${key} of ${series.measurement} ends with a backslash`);
    }
  }
}

/** Returns what such a check throws, in words; undefined where it passes. */
export function findFault(check: () => void): string | undefined {
  try {
    check();
  } catch (thrown) {
    if (thrown instanceof FleetmarkError) return thrown.message;
    throw thrown;
  }
}

/** Returns the tags as one canonical text: a JSON object with its keys in order and without empty values. */
export function canonicalTags(tags: Readonly<Record<string, string>>): string {
  const sorted: Record<string, string> = {};
  for (const key of Object.keys(tags).sort()) {
    if (tags[key] !== "") sorted[key] = tags[key];
  }
  return JSON.stringify(sorted);
}

/** Returns a text that is equal for equal series and differs for different ones. */
export function seriesKey(series: Series): string {
  return `${series.measurement}\n${series.field}\n${canonicalTags(series.tags)}`;
}
