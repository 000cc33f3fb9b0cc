import { createHash } from "node:crypto";
import { seriesLimits } from "@fleetmark/shared/model/series";

/**
 * Names of a host as values of tags. Paths, devices and interfaces may be any bytes but NUL, while a tag is text of
 * bounded length without control characters that ends in no backslash. So names are written as the kernel writes them
 * in /proc/self/mountinfo, and every name has a value of its own:
 *
 *   a backslash, each byte of a control character,     a backslash and three octal digits:   C:\  →  C:\134
 *   and each byte that is no UTF-8
 *   more than 512 characters                           the beginning, \# and 16 hexadecimal digits of its SHA-256
 *   all else                                           as it is
 */

/**
 * The characters of well-formed UTF-8 (Unicode 15, table 3-7), one byte a character of the text; a byte that belongs
 * to none stands alone.
 */
const characters =
  /[^\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

const plain = /^[ -[\]-~]*$/;
const cutMark = "\\#";
const hashLength = 16;

function escapeBytes(bytes: string): string {
  return [...bytes].map((byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
}

function writeCharacter(bytes: string): string {
  const isStray = bytes.length === 1 && bytes >= "\x80";
  const character = Buffer.from(bytes, "latin1").toString("utf8");
  return isStray || character === "\\" || /\p{Cc}/u.test(character) ? escapeBytes(bytes) : character;
}

/** Returns the value of a tag for a name whose every character is one byte, as `readHostFile` gives it. */
export function toTagValue(bytes: string): string {
  const limit = seriesLimits.tagValueLength;
  if (bytes.length <= limit && plain.test(bytes)) return bytes;
  const pieces = (bytes.match(characters) ?? []).map(writeCharacter);
  const whole = pieces.join("");
  if (whole.length <= limit) return whole;
  let head = "";
  for (const piece of pieces) {
    if (head.length + piece.length > limit - cutMark.length - hashLength) break;
    head += piece;
  }
  const hash = createHash("sha256").update(bytes, "latin1").digest("hex").slice(0, hashLength);
  return head + cutMark + hash;
}
