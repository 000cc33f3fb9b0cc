import { hash } from "node:crypto";
import { type DecodedSeries, decodeDictionary, type ReadDictionary } from "@fleetmark/shared/wire/batch-decoder";
import { readSteadyUs } from "../platform/clock.js";

/**
 * The dictionaries that agents sent of late. An agent sends the same one with every batch of its telemetry: decoded
 * and checked once, a batch of fifty samples costs a tenth of what it did.
 */

interface Remembered {
  readonly series: readonly DecodedSeries[];
  readonly weight: number;
  /** When it was asked for last. */
  usedUs: number;
}

/** Room for the dictionaries of 10 000 hosts of fifty series. */
const mostBytes = 96 * 2 ** 20;
/**
 * So long one is remembered that is not asked for. An agent sends its telemetry every few seconds; many a dictionary
 * comes once and never again, such as that of a batch in which a text has changed.
 */
const keptUs = 300e6;

/** What a dictionary weighs in memory: measured, with names shared. Neighbours of equal tags share those too. */
function weighDictionary(encodedBytes: number, series: readonly DecodedSeries[]): number {
  const tags = series.filter((each, i) => each.tags !== series[i - 1]?.tags).length;
  return 300 + encodedBytes + 40 * series.length + 350 * tags;
}

/** Names of measurements and fields that are kept once; the fleet's probes have some hundreds. */
const mostNames = 10_000;

/**
 * Creates a reader that remembers, by the bytes and the host; what is not asked for is forgotten first.
 * @param readUs reads a steady clock, microseconds
 */
export function createDictionaryReader(readUs = readSteadyUs): ReadDictionary {
  const remembered = new Map<string, Remembered>();
  const names = new Map<string, string>();
  let bytes = 0;

  const share = (name: string): string => {
    const known = names.get(name);
    if (known !== undefined) return known;
    if (names.size >= mostNames) names.clear();
    names.set(name, name);
    return name;
  };

  const remember = (key: string, entry: Remembered): void => {
    remembered.set(key, entry);
    bytes += entry.weight;
    for (const [oldest, { weight, usedUs }] of remembered) {
      if (bytes <= mostBytes && entry.usedUs - usedUs < keptUs) return;
      remembered.delete(oldest);
      bytes -= weight;
    }
  };

  return (dictionary, host) => {
    const key = `${hash("sha256", dictionary, "base64")} ${host}`;
    const known = remembered.get(key);
    if (known !== undefined) {
      // Moved to the end: the order of the map is the order of use.
      remembered.delete(key);
      remembered.set(key, known);
      known.usedUs = readUs();
      return known.series;
    }
    const series = decodeDictionary(dictionary, host).map(({ measurement, tags, field, fault }) => {
      return { measurement: share(measurement), tags, field: share(field), fault };
    });
    remember(key, { series, weight: weighDictionary(dictionary.length, series), usedUs: readUs() });
    return series;
  };
}
