import type { Table } from "./table.js";

function quote(value: string | number | null): string {
  const text = value === null ? "" : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes a table as CSV (RFC 4180): a line of names, then plain values; every line ends with CR LF. */
export function writeCsv<R>({ columns, rows }: Table<R>): string {
  const shown = columns.filter(({ only }) => only !== "people");
  const lines = [shown.map(({ key }) => key), ...rows.map((row) => shown.map((column) => column.value(row)))];
  return lines.map((values) => `${values.map(quote).join(",")}\r\n`).join("");
}
