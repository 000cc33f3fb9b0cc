import stringWidth from "string-width";

/**
 * Text on a terminal is measured in cells: wide characters take two, combining marks none. All here cut between
 * characters as people see them (grapheme clusters), never within one.
 */

const segmenter = new Intl.Segmenter();

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return (
    escapes[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`)
  );
}

/**
 * Shows what would move the cursor, colour the screen or turn the direction of writing: names come from other
 * machines.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, escapeCharacter);
}

/** Returns the cells that a text takes; colours take none. */
export function measureWidth(text: string): number {
  return stringWidth(text);
}

function splitCharacters(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Returns as many of the characters as fit into so many cells. */
function fit(characters: Iterable<string>, cells: number): string[] {
  const fitting: string[] = [];
  let left = cells;
  for (const character of characters) {
    left -= measureWidth(character);
    if (left < 0) break;
    fitting.push(character);
  }
  return fitting;
}

/** Cuts a plain text at its end to at most so many cells. */
export function cutEnd(text: string, cells: number): string {
  if (measureWidth(text) <= cells) return text;
  return cells < 1 ? "" : `${fit(splitCharacters(text), cells - 1).join("")}…`;
}

/** Cuts a plain text in its middle, for both ends of a benchmark's name tell: `policy_fo…jax-js/cpu`. */
export function cutMiddle(text: string, cells: number): string {
  if (measureWidth(text) <= cells) return text;
  if (cells < 3) return cutEnd(text, cells);
  const characters = splitCharacters(text);
  const head = fit(characters, Math.ceil((cells - 1) / 2)).join("");
  const tail = fit(characters.toReversed(), cells - 1 - measureWidth(head))
    .reverse()
    .join("");
  return `${head}…${tail}`;
}

/** Fills a text, colours allowed, to so many cells. */
export function pad(text: string, cells: number, align: "left" | "right"): string {
  const blank = " ".repeat(Math.max(0, cells - measureWidth(text)));
  return align === "right" ? blank + text : text + blank;
}

function wrapLine(line: string, cells: number, indent: string): string {
  const lead = /^ */.exec(line)?.[0] ?? "";
  const lines: string[] = [];
  let current = lead;
  for (const word of line.slice(lead.length).split(" ")) {
    const isFirst = current.trim() === "";
    const longer = isFirst ? `${current}${word}` : `${current} ${word}`;
    if (isFirst || measureWidth(longer) <= cells) {
      current = longer;
    } else {
      lines.push(current);
      current = `${lead}${indent}${word}`;
    }
  }
  return [...lines, current].join("\n");
}

/**
 * Breaks the lines of a text between words, at so many cells; a word that is longer stands by itself, whole, for
 * paths and addresses are copied.
 */
export function wrapText(text: string, cells: number, indent = ""): string {
  return text
    .split("\n")
    .map((line) => (measureWidth(line) <= cells ? line : wrapLine(line, cells, indent)))
    .join("\n");
}
