import { readWidth } from "./terminal.js";
import { wrapText } from "./width.js";

/** Tells a person something on stderr, its lines broken between words where the terminal ends. */
export function tell(text: string): void {
  process.stderr.write(`${wrapText(text, readWidth(process.stderr))}\n`);
}

/** Prints a document for programs on stdout, which holds nothing else then. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Prints lines, broken between words where the terminal is narrower; what follows of a line is indented. */
export function printWrapped(stream: NodeJS.WriteStream, text: string, indent: string): void {
  stream.write(wrapText(text, readWidth(stream), indent));
}
