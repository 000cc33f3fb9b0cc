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
