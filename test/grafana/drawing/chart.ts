import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import type { Series } from "../evaluation/answers.js";
import type { TimeRange } from "../evaluation/expand.js";
import { colorByName, type FieldStyle, styleField } from "./field-style.js";
import { escapeHtml, formatTime, formatValue } from "./format.js";

/** A time that is marked in charts: a moment, or a span. */
export interface Mark {
  readonly fromMs: number;
  readonly toMs: number;
  readonly color: string;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

interface Line {
  readonly series: Series;
  readonly style: FieldStyle;
  readonly color: string;
  /** Bottom and top of each value; the bottom is that below it in a stack, else 0. */
  readonly bottoms: readonly number[];
  readonly tops: readonly (number | null)[];
}

const margin = { left: 84, right: 8, top: 8, bottom: 20 } as const;

export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function readLines(panel: Panel, series: readonly Series[], stacked: boolean): Line[] {
  const heights = new Map<number, number>();
  return series.map((each) => {
    const style = styleField(panel, each.name);
    const bottoms = each.timesMs.map((time) => (stacked ? (heights.get(time) ?? 0) : 0));
    const tops = each.values.map((value, i) => (isNumber(value) ? value + bottoms[i] : null));
    tops.forEach((top, i) => {
      if (top !== null) heights.set(each.timesMs[i], top);
    });
    return { series: each, style, color: style.color ?? colorByName(each.name), bottoms, tops };
  });
}

/** Round steps of an axis: 1, 2 or 5 times a power of ten; powers of ten on a logarithmic one. */
export function listTicks(low: number, high: number, logarithmic: boolean): number[] {
  if (logarithmic) {
    const first = Math.ceil(Math.log10(low) - 1e-9);
    const last = Math.floor(Math.log10(high) + 1e-9);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i));
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  return ticks;
}

function findBounds(values: readonly number[], panel: Panel, logarithmic: boolean): [low: number, high: number] {
  const positive = logarithmic ? values.filter((value) => value > 0) : values;
  const { min, max } = panel.fieldConfig?.defaults ?? {};
  let low = min ?? Math.min(...positive);
  let high = max ?? Math.max(...positive);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return logarithmic ? [0.1, 10] : [0, 1];
  if (logarithmic) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))];
  if (low === high) [low, high] = [Math.min(low, 0), high > 0 ? high * 1.2 : 1];
  const room = (high - low) * 0.05;
  return [min ?? (low >= 0 && low - room < 0 ? 0 : low - room), max ?? high + room];
}

/** Draws lines over time with axes, limits, bands and marks, as an SVG. */
export function drawChart(panel: Panel, series: readonly Series[], range: TimeRange, marks: readonly Mark[], size: Size): string {
  const custom = (panel.fieldConfig?.defaults.custom ?? {}) as Record<string, never>;
  const logarithmic = (custom.scaleDistribution as { type?: string } | undefined)?.type === "log";
  const stacked = (custom.stacking as { mode?: string } | undefined)?.mode === "normal";
  const spanNulls = custom.spanNulls as boolean | number | undefined;
  const lines = readLines(panel, series, stacked);
  const [low, high] = findBounds(
    lines.flatMap(({ tops }) => tops.filter(isNumber)),
    panel,
    logarithmic,
  );
  const width = size.width - margin.left - margin.right;
  const height = size.height - margin.top - margin.bottom;
  const x = (time: number): number => margin.left + ((time - range.fromMs) / (range.toMs - range.fromMs)) * width;
  const place = (value: number): number => (logarithmic ? Math.log10(Math.max(value, low)) : value);
  const y = (value: number): number => margin.top + height * (1 - (place(value) - place(low)) / (place(high) - place(low)));
  const { unit = "short" } = panel.fieldConfig?.defaults ?? {};

  const grid = listTicks(low, high, logarithmic).map((tick) => {
    const label = escapeHtml(formatValue(Number(tick.toPrecision(12)), unit, undefined, range.toMs));
    return `<line class="grid" x1="${margin.left}" x2="${size.width - margin.right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${margin.left - 6}" y="${y(tick) + 4}" text-anchor="end">${label}</text>`;
  });
  const labels = Math.max(2, Math.floor(width / 70));
  const times = Array.from({ length: labels }, (_, i) => range.fromMs + ((range.toMs - range.fromMs) * (i + 0.5)) / labels).map(
    (time) =>
      `<text x="${x(time)}" y="${size.height - 5}" text-anchor="middle">${formatTime(time, range.toMs - range.fromMs)}</text>`,
  );
  const shades = marks.map(({ fromMs, toMs, color }) => {
    const begin = Math.max(fromMs, range.fromMs);
    return `<rect x="${x(begin)}" y="${margin.top}" width="${Math.max(1, x(Math.min(toMs, range.toMs)) - x(begin))}" height="${height}" fill="${color}" opacity="${toMs > fromMs ? 0.18 : 0.9}"/>`;
  });
  const bands = lines.flatMap((line) => {
    const floor = lines.find(({ series: other }) => other.name === line.style.fillBelowTo);
    if (floor === undefined) return [];
    const up = line.tops.flatMap((top, i) => (top === null ? [] : [`${x(line.series.timesMs[i])},${y(top)}`]));
    const down = floor.tops.flatMap((top, i) => (top === null ? [] : [`${x(floor.series.timesMs[i])},${y(top)}`])).reverse();
    return [`<polygon points="${[...up, ...down].join(" ")}" fill="${line.color}" opacity="0.25"/>`];
  });
  const drawn = lines.map((line) => drawLine(line, { x, y, spanNulls, stacked }));
  return `<svg width="${size.width}" height="${size.height}">${grid.join("")}${times.join("")}${shades.join("")}${bands.join("")}${drawn.join("")}</svg>`;
}

interface Drawing {
  readonly x: (time: number) => number;
  readonly y: (value: number) => number;
  readonly spanNulls: boolean | number | undefined;
  readonly stacked: boolean;
}

/** Breaks a line where values are missing for longer than the panel bridges. */
function drawLine({ series, style, color, bottoms, tops }: Line, { x, y, spanNulls, stacked }: Drawing): string {
  let path = "";
  let before: number | undefined;
  const dots: string[] = [];
  const area: string[] = [];
  tops.forEach((top, i) => {
    if (top === null) return;
    const time = series.timesMs[i];
    const missing = before === undefined ? 0 : tops.slice(before + 1, i).length;
    const gap = before === undefined ? 0 : time - series.timesMs[before];
    const joined =
      before !== undefined && (missing === 0 || spanNulls === true || (typeof spanNulls === "number" && gap <= spanNulls));
    path += `${joined ? "L" : "M"}${x(time).toFixed(1)} ${y(top).toFixed(1)}`;
    if (style.points) dots.push(`<circle cx="${x(time).toFixed(1)}" cy="${y(top).toFixed(1)}" r="1.6" fill="${color}"/>`);
    area.push(`${x(time).toFixed(1)},${y(top).toFixed(1)}`);
    before = i;
  });
  const floor = series.timesMs
    .flatMap((time, i) => (tops[i] === null ? [] : [`${x(time).toFixed(1)},${y(bottoms[i]).toFixed(1)}`]))
    .reverse();
  const fill = stacked ? `<polygon points="${[...area, ...floor].join(" ")}" fill="${color}" opacity="0.35"/>` : "";
  const stroke =
    style.lineWidth === 0
      ? ""
      : `<path d="${path}" fill="none" stroke="${color}" stroke-width="${style.lineWidth}" stroke-dasharray="${style.dash.join(" ")}"/>`;
  return fill + stroke + dots.join("");
}

/** The legend beside a chart: the latest and the highest value of each series, the highest first. */
export function writeLegend(panel: Panel, series: readonly Series[], nowMs: number): string {
  const rows = series.map((each) => {
    const style = styleField(panel, each.name);
    const numbers = each.values.filter(isNumber);
    return {
      name: each.name,
      style,
      color: style.color ?? colorByName(each.name),
      last: numbers[numbers.length - 1],
      max: Math.max(...numbers),
    };
  });
  const cells = rows
    .filter(({ last }) => last !== undefined)
    .sort((a, b) => b.last - a.last)
    .map(({ name, style, color, last, max }) => {
      const [shownLast, shownMax] = [last, max].map((value) => formatValue(value, style.unit, style.decimals, nowMs));
      return `<tr><td><i style="background:${color}"></i>${escapeHtml(name)}</td><td>${escapeHtml(shownLast)}</td><td>${escapeHtml(shownMax)}</td></tr>`;
    });
  return `<div class="legend"><table><tr><th>Name</th><th>Last</th><th>Max</th></tr>${cells.join("")}</table></div>`;
}
