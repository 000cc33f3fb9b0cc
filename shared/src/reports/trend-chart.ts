import { formatQuantity } from "../model/numbers.js";
import type { Result } from "../model/result.js";

/** One benchmark on one host over time, as it is drawn. */
export interface TrendChart {
  readonly title: string;
  /** What is said of it below the title; empty where there is nothing. */
  readonly note: string;
  readonly unit: Result["unit"];
  /** In order of time: the medians with their 95 % intervals, in the unit. */
  readonly points: readonly { readonly timeUs: number; readonly value: number; readonly low: number; readonly high: number }[];
  /** What the next result is compared with, and between what it usually lies; undefined where there is no baseline. */
  readonly baseline: { readonly level: number; readonly low: number; readonly high: number } | undefined;
  /** The indices of points at which the level changed for good. */
  readonly changes: readonly number[];
  /** The indices of points before which the environment changed, with what did. */
  readonly environments: readonly { readonly index: number; readonly what: string }[];
}

const width = 760;
const frame = { left: 84, right: 16, top: 44, height: 150, gap: 66 } as const;
const dayUs = 86_400e6;
const inner = width - frame.left - frame.right;

/** Colours by name, so that they follow the reader's wish for light or dark, and ink on paper. */
const style = `
:root { color-scheme: light dark; }
text { font: 12px system-ui, sans-serif; fill: #333; }
.title { font-weight: 600; } .note, .tick { fill: #666; }
.paper { fill: #fff; } .frame { fill: none; stroke: #ccc; } .band { fill: #1f77b4; opacity: .12; }
.level { stroke: #1f77b4; stroke-dasharray: 5 4; } .line { fill: none; stroke: #1f77b4; stroke-width: 1.5; }
.whisker { stroke: #1f77b4; opacity: .45; } .dot { fill: #1f77b4; }
.change { stroke: #c4162a; } .changed { fill: #c4162a; } .environment { stroke: #8a6d00; stroke-dasharray: 2 3; } .env { fill: #8a6d00; }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd; } .note, .tick { fill: #aaa; } .paper { fill: #181b1f; } .frame { stroke: #444; }
  .level, .line, .whisker { stroke: #6cb2eb; } .dot, .band { fill: #6cb2eb; }
  .change { stroke: #ff7383; } .changed { fill: #ff7383; } .environment { stroke: #e0c050; } .env { fill: #e0c050; }
}
@media print { text { fill: #000; } .paper { fill: #fff; } }`;

/** Writes text so that XML reads it as nothing else; what XML can't hold becomes a space. */
function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ").replaceAll(/[&<>"]/g, (each) => entities[each] ?? each);
}

const round = (value: number): string => value.toFixed(1);

/** Where values and times lie in a chart. */
interface Scale {
  x(timeUs: number): number;
  y(value: number): number;
  readonly low: number;
  readonly high: number;
}

function makeScale({ points, baseline }: TrendChart, top: number): Scale {
  const ends = baseline === undefined ? [] : [baseline.low, baseline.high];
  // An interval of one result may be wider than all there is to see: it is cut.
  const values = [...points.map(({ value }) => value), ...ends];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least) * 0.15 || Math.abs(most) * 0.05 || 1;
  const [low, high] = [least - margin, most + margin];
  const [from, to] = [points[0]?.timeUs ?? 0, points.at(-1)?.timeUs ?? 0];
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0.5);
  return {
    x: (timeUs) => frame.left + inner * share(timeUs - from, to - from),
    y: (value) => top + frame.height * (1 - Math.min(1, Math.max(0, share(value - low, high - low)))),
    low,
    high,
  };
}

function drawBaseline({ baseline }: TrendChart, { y }: Scale): string {
  if (baseline === undefined) return "";
  const [top, bottom] = [y(baseline.high), y(baseline.low)];
  const band = `<rect class="band" x="${frame.left}" y="${round(top)}" width="${inner}" height="${round(bottom - top)}"/>`;
  const at = round(y(baseline.level));
  return `${band}<line class="level" x1="${frame.left}" y1="${at}" x2="${frame.left + inner}" y2="${at}"/>`;
}

function drawPoints({ points }: TrendChart, { x, y }: Scale): string {
  const line = points.map(({ timeUs, value }) => `${round(x(timeUs))},${round(y(value))}`).join(" ");
  const marks = points.map(({ timeUs, value, low, high }) => {
    const [cx, cy] = [round(x(timeUs)), round(y(value))];
    return `<line class="whisker" x1="${cx}" y1="${round(y(low))}" x2="${cx}" y2="${round(y(high))}"/><circle class="dot" cx="${cx}" cy="${cy}" r="2.2"/>`;
  });
  return `<polyline class="line" points="${line}"/>${marks.join("")}`;
}

/** An upgrade stands just before what it did. */
const besidePx = -4;

function drawMarks({ points, changes, environments }: TrendChart, { x }: Scale, top: number): string {
  const at = (index: number): number => x(points[index]?.timeUs ?? 0);
  const line = (kind: string, index: number, shift = 0): string => {
    const where = round(at(index) + shift);
    return `<line class="${kind}" x1="${where}" y1="${top}" x2="${where}" y2="${top + frame.height}"/>`;
  };
  const lasting = changes.map((index) => line("change", index));
  const upgrades = environments.map(
    ({ index, what }) => `<g>${line("environment", index, besidePx)}<title>${escapeXml(what)}</title></g>`,
  );
  return [...lasting, ...upgrades].join("");
}

function drawAxes({ points, unit }: TrendChart, { y, low, high }: Scale, top: number): string {
  const levels = [low + (high - low) * 0.1, (low + high) / 2, high - (high - low) * 0.1];
  const values = levels.map(
    (value) =>
      `<text class="tick" x="${frame.left - 8}" y="${round(y(value) + 4)}" text-anchor="end">${escapeXml(formatQuantity({ unit }, value))}</text>`,
  );
  const [from, to] = [points[0]?.timeUs ?? 0, points.at(-1)?.timeUs ?? 0];
  const letters = to - from < 2 * dayUs ? 16 : 10;
  const day = (us: number): string => new Date(us / 1000).toISOString().slice(0, letters).replace("T", " ");
  const under = top + frame.height + 16;
  const times = `<text class="tick" x="${frame.left}" y="${under}">${day(from)}</text><text class="tick" x="${frame.left + inner}" y="${under}" text-anchor="end">${day(to)}</text>`;
  return `<rect class="frame" x="${frame.left}" y="${top}" width="${inner}" height="${frame.height}"/>${values.join("")}${times}`;
}

function drawChart(chart: TrendChart, top: number): string {
  const scale = makeScale(chart, top);
  const head = `<text class="title" x="${frame.left}" y="${top - 24}">${escapeXml(chart.title)}</text><text class="note" x="${frame.left}" y="${top - 8}">${escapeXml(chart.note)}</text>`;
  const body = [drawBaseline(chart, scale), drawAxes(chart, scale, top), drawMarks(chart, scale, top), drawPoints(chart, scale)];
  return `<g>${head}${body.join("")}</g>`;
}

const legend =
  '<text class="note" x="84" y="18">medians with 95 % intervals · band: the baseline · <tspan class="changed">red: the level changed</tspan> · <tspan class="env">dotted: an upgrade</tspan></text>';

/**
 * Draws charts below each other as one SVG that stands for itself, readable in the light, in the dark and in print.
 * @param charts each with at least one point
 */
export function drawTrends(charts: readonly TrendChart[]): string {
  const height = frame.top + charts.length * (frame.height + frame.gap) + 20;
  const drawn = charts.map((chart, i) => drawChart(chart, frame.top + 24 + i * (frame.height + frame.gap)));
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img"><style>${style}</style><rect class="paper" width="100%" height="100%"/>${legend}${drawn.join("")}</svg>\n`;
}
