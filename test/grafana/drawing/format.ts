/** Writes values as Grafana does for the units that the dashboards use. */

interface Scale {
  readonly factor: number;
  readonly suffix: string;
}

const durations: readonly Scale[] = [
  { factor: 86_400, suffix: " days" },
  { factor: 3600, suffix: " hours" },
  { factor: 60, suffix: " mins" },
  { factor: 1, suffix: " s" },
  { factor: 1e-3, suffix: " ms" },
  { factor: 1e-6, suffix: " µs" },
  { factor: 1e-9, suffix: " ns" },
];

function scales(base: number, suffixes: readonly string[]): Scale[] {
  return suffixes.map((suffix, power) => ({ factor: base ** power, suffix })).reverse();
}

const plain = scales(1000, ["", " K", " Mil", " Bil"]);
const perSecond = scales(1000, [" ops/s", "K ops/s", "M ops/s"]);
const binaryBytes = scales(1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
const byteRates = scales(1000, [" B/s", " kB/s", " MB/s", " GB/s"]);
const megabytes = scales(1000, [" B", " kB", " MB", " GB"]);

function scale(value: number, list: readonly Scale[], decimals: number | undefined): string {
  const size = Math.abs(value);
  const fitting = list.find(({ factor }) => size >= factor) ?? list[list.length - 1];
  const chosen = value === 0 ? (list.find(({ factor }) => factor === 1) ?? list[list.length - 1]) : fitting;
  return `${formatNumber(value / chosen.factor, decimals)}${chosen.suffix}`;
}

function formatNumber(value: number, decimals: number | undefined): string {
  if (decimals !== undefined) return value.toFixed(decimals);
  const size = Math.abs(value);
  return Number(size < 1 ? value.toPrecision(2) : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)).toString();
}

function formatAge(timeMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - timeMs) / 1000);
  if (seconds < 60) return "a few seconds ago";
  return seconds < 5400 ? `${Math.round(seconds / 60)} minutes ago` : `${Math.round(seconds / 3600)} hours ago`;
}

export function formatValue(value: number | string | null, unit: string, decimals: number | undefined, nowMs: number): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (unit.startsWith("suffix:")) return `${formatNumber(value, decimals)}${unit.slice("suffix:".length)}`;
  switch (unit) {
    case "percent":
      return `${formatNumber(value, decimals)}%`;
    case "s":
      return scale(value, durations, decimals);
    case "ms":
      return scale(value / 1000, durations, decimals);
    case "none":
      return formatNumber(value, decimals ?? 0);
    case "pps":
      return `${formatNumber(value, decimals)} p/s`;
    case "bytes":
      return scale(value, binaryBytes, decimals);
    case "decmbytes":
      return scale(value * 1e6, megabytes, decimals);
    case "Bps":
      return scale(value, byteRates, decimals);
    case "ops":
      return scale(value, perSecond, decimals);
    case "dateTimeFromNow":
      return formatAge(value, nowMs);
    default:
      return scale(value, plain, decimals);
  }
}

export function formatTime(timeMs: number, spanMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return spanMs > 2 * 86_400_000 ? iso.slice(5, 10).replace("-", "/") : iso.slice(11, 16);
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
