import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { dropColumns, joinTables, type Series, type Table } from "../evaluation/answers.js";
import type { TimeRange } from "../evaluation/expand.js";
import { drawChart, isNumber, type Mark, type Size, writeLegend } from "./chart.js";
import { colorByThresholds, resolveColor, styleField } from "./field-style.js";
import { escapeHtml, formatValue } from "./format.js";

/** What a panel's queries answered, and what else it shows. */
export interface PanelData {
  readonly series: readonly Series[];
  readonly tables: readonly Table[];
  readonly range: TimeRange;
  readonly marks: readonly Mark[];
  /** Lines of the list of alerts. */
  readonly alerts: readonly { readonly severity: string; readonly title: string; readonly text: string }[];
}

function lastOf({ values }: Series): number | string | null {
  return values.findLast((value) => value !== null) ?? null;
}

function writeStat(panel: Panel, { series, range }: PanelData, size: Size): string {
  const value = series.length === 0 ? null : lastOf(series[0]);
  const { unit, decimals, steps } = styleField(panel, series[0]?.name ?? "");
  const text =
    value === null ? (panel.fieldConfig?.defaults.noValue ?? "No data") : formatValue(value, unit, decimals, range.toMs);
  const color = colorByThresholds(value, steps);
  const numbers = series[0]?.values.filter(isNumber) ?? [];
  const top = Math.max(...numbers) || 1;
  const graph =
    panel.options?.graphMode === "area" && numbers.length > 1
      ? `<svg class="spark" width="${size.width}" height="36"><polygon fill="${color}" opacity="0.3" points="0,36 ${numbers.map((n, i) => `${((i / (numbers.length - 1)) * size.width).toFixed(1)},${(36 - (n / top) * 32).toFixed(1)}`).join(" ")} ${size.width},36"/></svg>`
      : "";
  return `<div class="stat" style="color:${color}">${escapeHtml(text)}</div>${graph}`;
}

function transform(panel: Panel, tables: readonly Table[]): Table {
  let current = tables.filter(({ columns }) => columns.length > 0);
  for (const { id, options } of panel.transformations ?? []) {
    if (id === "filterFieldsByName") current = current.map((table) => dropColumns(table, new RegExp(options.exclude.pattern)));
    else if (id === "joinByField") current = [joinTables(current, options.byField)];
    else throw new Error(`the transformation ${id} is not known here`);
  }
  return current[0] ?? { columns: [], rows: [] };
}

function writeTable(panel: Panel, { tables, range }: PanelData): string {
  const { columns, rows } = transform(panel, tables);
  const styles = columns.map((column) => styleField(panel, column));
  const [{ displayName, desc }] = panel.options?.sortBy ?? [{ displayName: "", desc: false }];
  const key = styles.findIndex((style) => style.displayName === displayName);
  const sign = desc ? -1 : 1;
  const sorted = key < 0 ? rows : [...rows].sort((a, b) => sign * (Number(a[key] ?? -Infinity) - Number(b[key] ?? -Infinity)));
  const isNumeric = columns.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const head = styles
    .map(({ displayName, width }, i) => {
      const extent = width === undefined ? "" : ` style="width:${width - 16}px;max-width:${width - 16}px"`;
      return `<th${isNumeric[i] ? ' class="n"' : ""}${extent}>${escapeHtml(displayName)}</th>`;
    })
    .join("");
  const body = sorted.map((row) => {
    const cells = row.map((value, i) => {
      const { unit, decimals, steps, cell, link, findWord } = styles[i];
      const text = escapeHtml(findWord(value) ?? formatValue(value, unit, decimals, range.toMs));
      const color = colorByThresholds(value, steps);
      const style =
        value === null
          ? ""
          : cell === "color-background"
            ? `background:${color};color:#111`
            : cell === "color-text"
              ? `color:${color}`
              : "";
      return `<td style="${style}"${typeof value === "number" ? ' class="n"' : ""}>${link ? `<u>${text}</u>` : text}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<div class="scroll"><table class="data"><tr>${head}</tr>${body.join("")}</table></div>`;
}

function writeBars(panel: Panel, { series, range }: PanelData): string {
  const bars = series.flatMap((each) => {
    const value = lastOf(each);
    return isNumber(value) ? [{ name: each.name, value }] : [];
  });
  const top = Math.max(...bars.map(({ value }) => value));
  return `<div class="scroll bars">${bars
    .map(({ name, value }) => {
      const { unit, decimals, steps } = styleField(panel, name);
      return `<div><span>${escapeHtml(name)}</span><b style="width:${(value / top) * 55}%;background:${colorByThresholds(value, steps)}"></b>${escapeHtml(formatValue(value, unit, decimals, range.toMs))}</div>`;
    })
    .join("")}</div>`;
}

function drawHistogram(panel: Panel, { series, range }: PanelData, size: Size): string {
  const values = series.map(lastOf).filter(isNumber);
  if (values.length === 0) return "";
  const { unit, decimals, color } = styleField(panel, "");
  const count = panel.options?.bucketCount ?? 20;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = (high - low) / count || 1;
  const buckets = new Array<number>(count).fill(0);
  for (const value of values) buckets[Math.min(count - 1, Math.floor((value - low) / step))]++;
  const most = Math.max(...buckets);
  const [width, height] = [size.width - 40, size.height - 34];
  const bars = buckets.map((n, i) => {
    const h = (n / most) * height;
    return `<rect x="${30 + (i * width) / count}" y="${8 + height - h}" width="${width / count - 1}" height="${h}" fill="${color}" opacity="0.7"/>`;
  });
  const labels = [0, 0.5, 1].map(
    (part) =>
      `<text x="${30 + width * part}" y="${size.height - 8}" text-anchor="${part === 0 ? "start" : part === 1 ? "end" : "middle"}">${escapeHtml(formatValue(low + (high - low) * part, unit, decimals, range.toMs))}</text>`,
  );
  return `<svg width="${size.width}" height="${size.height}"><text x="24" y="16" text-anchor="end">${most}</text><text x="24" y="${8 + height}" text-anchor="end">0</text>${bars.join("")}${labels.join("")}</svg>`;
}

function colorOfState(panel: Panel, value: number | string): string {
  const mappings = (panel.fieldConfig?.defaults.mappings ?? []) as { options: Record<string, { color?: string }> }[];
  const mapped = mappings.flatMap(({ options }) => options[String(value)]?.color ?? [])[0];
  return mapped === undefined ? colorByThresholds(value, styleField(panel, "").steps) : resolveColor(mapped);
}

/** Rows of cells (status history) or of bars until the next value (state timeline). */
function drawRows(panel: Panel, data: PanelData, size: Size, joined: boolean): string {
  const { range } = data;
  const series = data.series.slice(0, panel.options?.perPage);
  const nameOf = ({ name, labels }: Series): string =>
    styleField(panel, name).displayName.replace(/\$\{__field\.labels\.(\w+)\}/g, (_, label: string) => labels[label] ?? "");
  const labels = Math.min(320, 12 + Math.max(0, ...series.map((each) => nameOf(each).length)) * 6.2);
  const rowHeight = Math.min(26, (size.height - 6) / Math.max(1, series.length));
  const x = (time: number): number => labels + ((time - range.fromMs) / (range.toMs - range.fromMs)) * (size.width - labels - 8);
  const times = [...new Set(series.flatMap(({ timesMs }) => timesMs))].sort((a, b) => a - b);
  const stepMs = Math.min(...times.slice(1).map((time, i) => time - times[i]), range.toMs - range.fromMs);
  const rows = series.map((each, row) => {
    const { timesMs, values } = each;
    const cells = values.flatMap((value, i) => {
      if (value === null) return [];
      const end = joined ? (timesMs[i + 1] ?? range.toMs) : timesMs[i] + stepMs * 0.95;
      const left = x(Math.max(timesMs[i], range.fromMs));
      return [
        `<rect x="${left.toFixed(1)}" y="${(row * rowHeight + 1).toFixed(1)}" width="${Math.max(0.5, x(Math.min(end, range.toMs)) - left).toFixed(1)}" height="${(rowHeight * 0.85).toFixed(1)}" fill="${colorOfState(panel, value)}" opacity="0.8"/>`,
      ];
    });
    return `<text x="${labels - 6}" y="${row * rowHeight + rowHeight * 0.7}" text-anchor="end" style="font-size:${Math.min(11, rowHeight)}px">${escapeHtml(nameOf(each))}</text>${cells.join("")}`;
  });
  return `<svg width="${size.width}" height="${size.height}">${rows.join("")}</svg>`;
}

function writeAlerts({ alerts }: PanelData): string {
  const lines = alerts.map(
    ({ severity, title, text }) => `<li class="${severity}"><b>${escapeHtml(title)}</b> ${escapeHtml(text)}</li>`,
  );
  return `<div class="scroll"><ul class="alerts">${lines.join("")}</ul></div>`;
}

function drawTimeseries(panel: Panel, data: PanelData, size: Size): string {
  const below = panel.options?.legend?.placement === "bottom";
  // As Grafana: a third of the panel for a legend below, and what its names need beside, within bounds.
  const legend = below ? Math.min(size.height / 3, 18 * (data.series.length + 1)) : 330;
  const room = below ? { width: size.width, height: size.height - legend } : { width: size.width - legend, height: size.height };
  const chart = drawChart(panel, data.series, data.range, data.marks, room);
  const extent = below ? `height:${legend}px` : `width:${legend}px`;
  return `<div class="${below ? "over" : "chart"}">${chart}<div style="${extent}">${writeLegend(panel, data.series, data.range.toMs)}</div></div>`;
}

/** Renders what stands below a panel's title. */
export function renderBody(panel: Panel, data: PanelData, size: Size): string {
  if (
    panel.type !== "alertlist" &&
    panel.type !== "text" &&
    panel.type !== "stat" &&
    data.series.length === 0 &&
    data.tables.every(({ rows }) => rows.length === 0)
  ) {
    return '<div class="none">No data</div>';
  }
  switch (panel.type) {
    case "stat":
      return writeStat(panel, data, size);
    case "table":
      return writeTable(panel, data);
    case "bargauge":
      return writeBars(panel, data);
    case "histogram":
      return drawHistogram(panel, data, size);
    case "status-history":
      return drawRows(panel, data, size, false);
    case "state-timeline":
      return drawRows(panel, data, size, true);
    case "alertlist":
      return writeAlerts(data);
    case "text":
      return `<pre class="scroll">${escapeHtml(panel.options?.content ?? "")}</pre>`;
    case "timeseries":
      return drawTimeseries(panel, data, size);
    default:
      throw new Error(`no preview of panels of type ${panel.type}`);
  }
}
