import type { Colors } from "./terminal.js";

/** A column of a table: how each row looks in it, to people and to programs. */
export interface Column<R> {
  /** Its name for programs. */
  readonly key: string;
  readonly title: string;
  readonly align: "left" | "right";
  /** What programs are given. */
  value(row: R): string | number | null;
  /** What people are shown; the value where it is not given. */
  text?(row: R): string;
  /** How the text is painted, where there are colours. */
  paint?(row: R, colours: Colors): (text: string) => string;
  /** Columns that have a rank leave a narrow terminal, the lowest first. */
  readonly rank?: number;
  /** On a narrow terminal it stands above the others, on a line of its own. One column of a table at most. */
  readonly isLead?: true;
  /** What may be cut in its middle, down to this many cells. */
  readonly least?: number;
  /** Whom the column is for, if not for both. */
  readonly only?: "people" | "programs";
}

/** What the writers lay out, each in its own form. */
export interface Table<R> {
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
}

/** Returns what people are shown in a cell. */
export function showCell<R>(column: Column<R>, row: R): string {
  return column.text === undefined ? String(column.value(row) ?? "") : column.text(row);
}
