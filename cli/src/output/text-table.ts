import { type Column, showCell, type Table } from "./table.js";
import type { Colors } from "./terminal.js";
import { cutMiddle, escapeControls, measureWidth, pad, wrapText } from "./width.js";

/**
 * A table on a terminal. Where it is too narrow for all columns,
 *
 *   names are cut in their middle ─► those of rank 1 leave ─► the lead column goes above the others
 *     ─► more leave, by rank ─► each row becomes a block of lines, if those that must stay don't fit
 */
export interface TextTable {
  readonly text: string;
  /** Titles of the columns that found no place. */
  readonly left: readonly string[];
}

/** A column with the texts of its rows, ready to be laid out. */
interface Strip<R> {
  readonly column: Column<R>;
  readonly texts: readonly string[];
  /** As wide as its widest text. */
  readonly natural: number;
}

const gap = "  ";

function readStrips<R>({ columns, rows }: Table<R>): Strip<R>[] {
  return columns
    .filter(({ only }) => only !== "programs")
    .map((column) => {
      const texts = rows.map((row) => escapeControls(showCell(column, row)));
      return { column, texts, natural: Math.max(...[column.title, ...texts].map(measureWidth)) };
    });
}

const leastOf = <R>({ column, natural }: Strip<R>): number => Math.min(natural, column.least ?? natural);

function sumWidths(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
}

/** Takes columns of at most some rank away, the lowest first, until the rest fits; undefined where it never does. */
function selectStrips<R>(strips: readonly Strip<R>[], cells: number, most: number): readonly Strip<R>[] | undefined {
  if (sumWidths(strips.map(leastOf)) <= cells) return strips;
  const ranked = strips.filter(({ column: { rank } }) => rank !== undefined && rank <= most);
  const [lowest] = ranked.sort((a, b) => (a.column.rank ?? 0) - (b.column.rank ?? 0));
  if (lowest === undefined) return undefined;
  return selectStrips(
    strips.filter((strip) => strip !== lowest),
    cells,
    most,
  );
}

/** Gives each column its width, and what is over to those that can be cut, the narrowest of them first. */
function chooseWidths<R>(strips: readonly Strip<R>[], cells: number): number[] {
  const widths = strips.map(leastOf);
  let left = cells - sumWidths(widths);
  const wanting = strips.map((_, i) => i).sort((a, b) => (strips[a]?.natural ?? 0) - (strips[b]?.natural ?? 0));
  for (const i of wanting) {
    const [natural, width] = [strips[i]?.natural ?? 0, widths[i] ?? 0];
    const given = Math.min(natural - width, Math.max(0, left));
    widths[i] = width + given;
    left -= given;
  }
  return widths;
}

function paintCell<R>({ column }: Strip<R>, row: R, text: string, colours: Colors): string {
  return column.paint === undefined || text === "" ? text : column.paint(row, colours)(text);
}

function layOutRows<R>(strips: readonly Strip<R>[], rows: readonly R[], cells: number, colours: Colors): string {
  const widths = chooseWidths(strips, cells);
  const join = (texts: readonly string[]): string =>
    texts
      .map((text, i) => pad(text, widths[i] ?? 0, strips[i]?.column.align ?? "left"))
      .join(gap)
      .trimEnd();
  const head = join(strips.map(({ column }, i) => cutMiddle(column.title, widths[i] ?? 0)));
  const lines = rows.map((row, at) =>
    join(strips.map((strip, i) => paintCell(strip, row, cutMiddle(strip.texts[at] ?? "", widths[i] ?? 0), colours))),
  );
  return [colours.dim(head), ...lines].join("\n");
}

/** Writes each row as a block of `title: value` lines; a value that is too long is cut in its middle. */
function stackRows<R>(strips: readonly Strip<R>[], rows: readonly R[], cells: number, colours: Colors): string {
  const blocks = rows.map((row, at) =>
    strips
      .filter(({ texts }) => texts[at] !== "")
      .map((strip) => {
        const words = (strip.texts[at] ?? "").split(" ").map((word) => cutMiddle(word, Math.max(1, cells - 2)));
        const text = paintCell(strip, row, words.join(" "), colours);
        return wrapText(`${colours.dim(`${strip.column.title}:`)} ${text}`, cells, "  ");
      })
      .join("\n"),
  );
  return blocks.join("\n\n");
}

const indent = "  ";

/** Puts the lead column's text above each row, once where rows share it. */
function layOutBelow<R>(lead: Strip<R>, chosen: readonly Strip<R>[], rows: readonly R[], cells: number, colours: Colors): string {
  const below = layOutRows(chosen, rows, cells - indent.length, colours).split("\n");
  const lines = [colours.dim(cutMiddle(lead.column.title, cells))];
  below.forEach((line, at) => {
    const [text, before] = [lead.texts[at - 1], lead.texts[at - 2]];
    if (text !== undefined && text !== before) lines.push(cutMiddle(text, cells));
    lines.push(`${indent}${line}`);
  });
  return lines.join("\n");
}

/** Lays out a table for people, in so many cells. Lines carry no trailing space. */
export function layOutTable<R>(table: Table<R>, cells: number, colours: Colors): TextTable {
  const strips = readStrips(table);
  const { rows } = table;
  const listLeft = (chosen: readonly Strip<R>[]): string[] =>
    strips.filter((strip) => !chosen.includes(strip)).map(({ column }) => column.title);
  const lead = strips.find(({ column }) => column.isLead);
  const beside = selectStrips(strips, cells, lead === undefined ? Number.POSITIVE_INFINITY : 1);
  if (beside !== undefined) return { text: layOutRows(beside, rows, cells, colours), left: listLeft(beside) };
  const others = strips.filter((strip) => strip !== lead);
  const below = lead === undefined ? undefined : selectStrips(others, cells - indent.length, Number.POSITIVE_INFINITY);
  if (lead === undefined || below === undefined) return { text: stackRows(strips, rows, cells, colours), left: [] };
  return { text: layOutBelow(lead, below, rows, cells, colours), left: listLeft([lead, ...below]) };
}
