import { showCell, type Table } from "./table.js";
import { escapeControls } from "./width.js";

/** Keeps a text from being read as markup. An underscore within a word is none. */
function escapeMarkup(text: string): string {
  return escapeControls(text)
    .replaceAll(/[\\`*[\]<>|~&#!]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "\\$&")
    .replaceAll(/ {2,}/g, " ");
}

/** Writes a table in GitHub's markdown, as people are shown it. */
export function writeMarkdown<R>({ columns, rows }: Table<R>): string {
  const shown = columns.filter(({ only }) => only !== "programs");
  const join = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [
    join(shown.map(({ title }) => escapeMarkup(title))),
    join(shown.map(({ align }) => (align === "right" ? "---:" : "---"))),
    ...rows.map((row) => join(shown.map((column) => escapeMarkup(showCell(column, row))))),
  ].join("");
}
