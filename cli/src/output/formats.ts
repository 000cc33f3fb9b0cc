import { type Command, Option } from "commander";
import { writeCsv } from "./csv.js";
import { writeMarkdown } from "./markdown.js";
import { printJson, tell } from "./message.js";
import type { Table } from "./table.js";
import { chooseColours, readWidth } from "./terminal.js";
import { layOutTable } from "./text-table.js";

/** The forms in which every table can be had. */
export const formats = ["table", "md", "csv", "json"] as const;
export type Format = (typeof formats)[number];

export interface FormatOptions {
  readonly format: Format;
  readonly json?: boolean;
}

/** Gives a command the flags that choose its form. */
export function addFormatFlags(command: Command): Command {
  return command
    .addOption(new Option("--format <form>", "how it is printed").choices(formats).default("table"))
    .addOption(new Option("--json", "the same as --format json: one document on stdout").implies({ format: "json" }));
}

/** Prints a table in the form that was asked for, or the document that it was made from. */
export function printTable<R>(table: Table<R>, document: unknown, format: Format): void {
  if (format === "json") {
    printJson(document);
    return;
  }
  if (format !== "table") {
    process.stdout.write(format === "csv" ? writeCsv(table) : writeMarkdown(table));
    return;
  }
  printText(table, "; --format csv has all");
}

/** Prints a table for people, and says which columns the terminal has no place for, and where they are. */
export function printText<R>(table: Table<R>, elsewhere: string): void {
  const { text, left } = layOutTable(table, readWidth(process.stdout), chooseColours(process.stdout));
  process.stdout.write(`${text}\n`);
  if (left.length > 0) tell(`left out at this width: ${left.join(", ")}${elsewhere}`);
}
