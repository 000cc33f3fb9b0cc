import { findTextEnd } from "./parse-line.js";

/** A line of a file, with those that follow it inside a text: line protocol lets a text hold line ends. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/** A text that never ends must not swallow the file: lines are joined up to this length. */
const longestJoined = 4 * 2 ** 20;

/** Whether a text in quotes is open at the end of a line, which may begin in one that earlier lines opened. */
function endsInText(line: string, beginsInText: boolean): boolean {
  if (!line.includes('"')) return beginsInText;
  let at = 0;
  if (beginsInText) {
    const close = findTextEnd(line, -1);
    if (close === -1) return true;
    at = close + 1;
  } else {
    // Quotes of the head open nothing.
    at = /(?<!\\) /.exec(line)?.index ?? line.length;
  }
  for (;;) {
    const open = line.indexOf('="', at);
    if (open === -1) return false;
    const close = findTextEnd(line, open + 1);
    if (close === -1) return true;
    at = close + 1;
  }
}

/** Splits text that comes in pieces into physical lines. */
async function* splitLines(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/**
 * Reads lines of line protocol from text that comes in pieces. A line whose text has no end comes alone, and the file
 * goes on after it.
 */
export async function* readLines(pieces: AsyncIterable<string>): AsyncGenerator<NumberedLine> {
  let pending: string[] = [];
  let length = 0;
  let number = 0;
  // The text that seemed to hold them has no end: each stands for itself.
  function* giveUp(): Generator<NumberedLine> {
    for (const [i, text] of pending.entries()) yield { number: number - pending.length + 1 + i, text };
    [pending, length] = [[], 0];
  }
  for await (const line of splitLines(pieces)) {
    number++;
    const isOpen = endsInText(line, pending.length > 0);
    if (pending.length === 0 && !isOpen) {
      yield { number, text: line };
      continue;
    }
    pending.push(line);
    length += line.length;
    if (!isOpen) {
      yield { number: number - pending.length + 1, text: pending.join("\n") };
      [pending, length] = [[], 0];
    } else if (length > longestJoined) {
      yield* giveUp();
    }
  }
  if (pending.length > 0) yield* giveUp();
}
