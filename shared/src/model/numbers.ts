import type { Result } from "./result.js";

/** Numbers as people read them. */

/** Writes a number with three significant digits, large ones with thousands apart: `0.0123`, `4.56`, `12 300`. */
export function formatNumber(value: number): string {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(rounded)));
  if (magnitude < -4) return value.toExponential(2);
  if (magnitude >= 3) return formatCount(Math.round(value));
  return rounded.toFixed(2 - Math.min(2, magnitude));
}

/** Writes a whole number with thousands apart: `12 300`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Writes a size in bytes, of 10^6 bytes a megabyte: `820 B`, `1.5 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Writes seconds in the unit that suits them: `1.23 µs`, `45.6 ms`, `2.00 s`. */
export function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${formatNumber(seconds * 1e9)} ns`;
  if (size < 1e-3) return `${formatNumber(seconds * 1e6)} µs`;
  return size < 1 ? `${formatNumber(seconds * 1e3)} ms` : `${formatNumber(seconds)} s`;
}

/** Writes a value of a result with the result's unit. */
export function formatQuantity({ unit }: Pick<Result, "unit">, value: number): string {
  return unit === "s" ? formatSeconds(value) : `${formatNumber(value)} ${unit}`;
}

const ages: readonly (readonly [unit: string, seconds: number])[] = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** Writes how long ago something was, in the largest unit that it fills: `3 min ago`, `2 d ago`, `just now`. */
export function formatAge(seconds: number): string {
  if (seconds < 1) return "just now";
  const [unit, length] = ages.find(([, each]) => seconds >= each) ?? ["s", 1];
  return `${Math.floor(seconds / length)} ${unit} ago`;
}
