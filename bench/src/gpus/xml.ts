import { SaxesParser } from "saxes";

/** An element of a document: its text, or the elements within it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
}

/** Elements within one another, at most: nvidia-smi has six. */
const deepest = 32;

/**
 * Reads a whole document into a tree. One that was cut off, or goes on with something else, is an error: half a
 * document tells of half the cards.
 * @throws Error that says what is wrong with the document and in which line
 */
export function parseXml(text: string): XmlElement {
  const parser = new SaxesParser();
  const open: OpenElement[] = [{ name: "", attributes: {}, children: [], text: "" }];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (open.length > deepest) throw new Error(`elements within one another more than ${deepest} deep`);
    open.push({ name, attributes: { ...attributes }, children: [], text: "" });
  });
  parser.on("text", (part) => {
    open[open.length - 1].text += part;
  });
  parser.on("closetag", () => {
    const [parent, closed] = [open[open.length - 2], open[open.length - 1]];
    open.pop();
    closed.text = closed.text.trim();
    parent.children.push(closed);
  });
  parser.write(text).close();
  return open[0].children[0];
}

/**
 * Cuts elements out of a document before it is read: of 357 KB that a host of eight cards prints, 260 are lists of
 * clocks. What has no end stays, and is the reader's to refuse.
 */
export function cutElements(text: string, names: ReadonlySet<string>): string {
  let rest = text;
  for (const name of names) {
    const [opening, closing] = [`<${name}>`, `</${name}>`];
    const kept: string[] = [];
    let from = 0;
    for (;;) {
      const start = rest.indexOf(opening, from);
      const end = start < 0 ? -1 : rest.indexOf(closing, start);
      if (end < 0) break;
      kept.push(rest.slice(from, start));
      from = end + closing.length;
    }
    rest = kept.join("") + rest.slice(from);
  }
  return rest;
}

/** Finds the first element at a path below another, such as `pci/replay_counter`. */
export function findElement(from: XmlElement, path: string): XmlElement | undefined {
  let found: XmlElement | undefined = from;
  for (const name of path.split("/")) found = found?.children.find((child) => child.name === name);
  return found;
}
