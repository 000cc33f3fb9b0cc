import { stripVTControlCharacters } from "node:util";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

export function left(title: string): Column {
  return { title, align: "left" };
}

export function right(title: string): Column {
  return { title, align: "right" };
}

/** Lays out rows of cells (colours allowed) under their titles, two spaces apart. Lines carry no trailing space. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  dim: (text: string) => string,
): string {
  const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = columns.map((column, i) => Math.max(column.title.length, ...rows.map((row) => widthOf(row[i]))));
  const formatRow = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const padding = " ".repeat(widths[i] - widthOf(cell));
        return columns[i].align === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  return [dim(formatRow(columns.map((column) => column.title))), ...rows.map(formatRow)].join("\n");
}

/** Writes a number with three significant digits, large ones with thousands apart: `0.0123`, `4.56`, `12 300`. */
export function formatNumber(value: number): string {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(rounded)));
  if (magnitude < -4) return value.toExponential(2);
  if (magnitude >= 3) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, " ");
  return rounded.toFixed(2 - Math.min(2, magnitude));
}

/** Writes seconds in the unit that suits them: `1.23 µs`, `45.6 ms`, `2.00 s`. */
export function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${formatNumber(seconds * 1e9)} ns`;
  if (size < 1e-3) return `${formatNumber(seconds * 1e6)} µs`;
  return size < 1 ? `${formatNumber(seconds * 1e3)} ms` : `${formatNumber(seconds)} s`;
}
