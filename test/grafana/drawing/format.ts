/**
 * Writes values as Grafana does for the units that the dashboards use: after packages/grafana-data/src/valueFormats of
 * its source (toFixed, scaledUnits, toSeconds, simpleCountUnit). A unit that is not here throws, so that no page shows
 * what Grafana would not.
 */

/** A number as Grafana's toFixed writes it: with as many decimals as asked for, else as its size asks for. */
function formatNumber(value: number, decimals = countDecimals(value)): string {
  const factor = 10 ** Math.max(0, decimals);
  return (Math.round(value * factor) / factor).toFixed(Math.max(0, decimals));
}

/** Grafana's getDecimalsForValue: about two digits that count, three from 2.25 of a power of ten on. */
function countDecimals(value: number): number {
  if (value % 1 === 0) return 0;
  const decimals = 1 - Math.floor(Math.log10(Math.abs(value)));
  const scaled = value * 10 ** decimals;
  return Math.max(0, scaled > 2.25 ? decimals + 1 : decimals);
}

/** Grafana's scaledUnits: the prefix that leaves at least 1, of those from the unit's own place in the list. */
function scale(value: number, base: number, suffixes: readonly string[], decimals: number | undefined, own = 0): string {
  const power = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)) / Math.log10(base) + 1e-12);
  const bounded = Math.min(Math.max(power, -own), suffixes.length - own - 1);
  return `${formatNumber(value / base ** bounded, decimals)}${suffixes[bounded + own]}`;
}

/** Grafana's toSeconds: up to each size, so many of the unit in a second. */
const times: readonly { readonly below: number; readonly inSecond: number; readonly suffix: string }[] = [
  { below: 1e-6, inSecond: 1e9, suffix: " ns" },
  { below: 1e-3, inSecond: 1e6, suffix: " µs" },
  { below: 1, inSecond: 1e3, suffix: " ms" },
  { below: 60, inSecond: 1, suffix: " s" },
  { below: 3600, inSecond: 1 / 60, suffix: " mins" },
  { below: 86_400, inSecond: 1 / 3600, suffix: " hours" },
  { below: 604_800, inSecond: 1 / 86_400, suffix: " days" },
  { below: 31_536_000, inSecond: 1 / 604_800, suffix: " weeks" },
  { below: Number.POSITIVE_INFINITY, inSecond: 1 / 31_556_900, suffix: " years" },
];

/** Seconds are scaled down as well as up; milliseconds are not, and have no place here. */
function formatSeconds(value: number, decimals: number | undefined): string {
  if (value === 0) return "0 s";
  const { inSecond, suffix } = times.find(({ below }) => Math.abs(value) < below) ?? times[times.length - 1];
  return `${formatNumber(value * inSecond, decimals)}${suffix}`;
}

const counts = ["", " K", " Mil", " Bil", " Tri"];
const operations = ["", "K", "M", "B", "T"].map((prefix) => `${prefix} ops/s`);
const binaryBytes = ["", "Ki", "Mi", "Gi", "Ti"].map((prefix) => ` ${prefix}B`);
const bytes = ["", "k", "M", "G", "T"].map((prefix) => ` ${prefix}B`);
const byteRates = ["", "k", "M", "G", "T"].map((prefix) => ` ${prefix}B/s`);
const watts = ["", "k", "M"].map((prefix) => ` ${prefix}W`);
const packetRates = ["m", "", "k", "M", "G"].map((prefix) => ` ${prefix}p/s`);

/** The place of megabytes among the bytes. */
const mega = 2;

/** Moment.js's fromNow, which Grafana shows ages with. */
function formatAge(timeMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - timeMs) / 1000);
  if (seconds < 45) return "a few seconds ago";
  if (seconds < 90) return "a minute ago";
  if (seconds < 45 * 60) return `${Math.round(seconds / 60)} minutes ago`;
  return seconds < 90 * 60 ? "an hour ago" : `${Math.round(seconds / 3600)} hours ago`;
}

export function formatValue(value: number | string | null, unit: string, decimals: number | undefined, nowMs: number): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (unit.startsWith("suffix:")) return `${formatNumber(value, decimals)} ${unit.slice("suffix:".length)}`;
  switch (unit) {
    case "percent":
      return `${formatNumber(value, decimals)}%`;
    case "celsius":
      return `${formatNumber(value, decimals)} °C`;
    case "watt":
      return scale(value, 1000, watts, decimals);
    case "s":
      return formatSeconds(value, decimals);
    case "none":
    case "string":
      return formatNumber(value, decimals);
    case "pps":
      return scale(value, 1000, packetRates, decimals, 1);
    case "bytes":
      return scale(value, 1024, binaryBytes, decimals);
    case "decmbytes":
      return scale(value, 1000, bytes, decimals, mega);
    case "Bps":
      return scale(value, 1000, byteRates, decimals);
    case "ops":
      return scale(value, 1000, operations, decimals);
    case "short":
      return scale(value, 1000, counts, decimals);
    case "dateTimeFromNow":
      return formatAge(value, nowMs);
    default:
      throw new Error(`the unit ${unit} is not known here`);
  }
}

export function formatTime(timeMs: number, spanMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return spanMs > 2 * 86_400_000 ? iso.slice(5, 10).replace("-", "/") : iso.slice(11, 16);
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
