/**
 * One value as NVIDIA's tool prints it. What it can't tell it says in many words, which are told apart:
 *
 *   `41 C`, `16x`, `-5 C`, `Enabled`           a value
 *   `N/A`, `[N/A]`, `Not Supported`, …         the card has none
 *   `GPU is lost`, `ERR!`, `Unknown Error`, …  it should be there, and could not be read
 *   anything else where a number belongs       strange: it is told, and never guessed at
 */
export type Reading =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly text: string }
  | { readonly kind: "strange"; readonly text: string };

/** What a number is told in; `count` has no unit. */
export type Unit = "count" | "MiB" | "%" | "C" | "MHz" | "W" | "us" | "KB/s" | "x" | "mV";

/** How many of our unit each unit is that may stand behind a number. */
const scales: Readonly<Record<Unit, Readonly<Record<string, number>>>> = {
  count: { "": 1, "bank(s)": 1 },
  MiB: { B: 2 ** -20, KiB: 2 ** -10, MiB: 1, GiB: 2 ** 10 },
  "%": { "%": 1 },
  C: { C: 1 },
  MHz: { KHz: 1e-3, MHz: 1, GHz: 1e3 },
  W: { mW: 1e-3, W: 1, kW: 1e3 },
  us: { ns: 1e-3, us: 1, ms: 1e3, s: 1e6 },
  "KB/s": { "KB/s": 1, "MB/s": 1e3, "GB/s": 1e6 },
  x: { x: 1, "": 1 },
  mV: { mV: 1, V: 1e3 },
};

const absences: ReadonlySet<string> = new Set([
  "",
  "n/a",
  "none",
  "not supported",
  "not available",
  "not found",
  "requested functionality has been deprecated",
  "deprecated",
  "insufficient permissions",
  "no permission",
]);

const troubles: ReadonlySet<string> = new Set([
  "gpu is lost",
  "err!",
  "unknown error",
  "gpu requires reset",
  "reset required",
  "timeout",
  "not ready",
  "in use",
  "driver not loaded",
]);

/** Takes off the brackets around a word, and a note behind a value: `610.57.04 [Deprecated; …]`. */
function unwrap(text: string): string {
  const trimmed = text.trim();
  const inner = /^\[(.*)\]$/.exec(trimmed)?.[1] ?? trimmed.replace(/\s+\[[^\]]*\]$/, "");
  return inner.trim();
}

function readMarker(text: string): Reading | undefined {
  const word = text.toLowerCase();
  if (absences.has(word)) return { kind: "absent" };
  if (troubles.has(word)) return { kind: "unreadable", text };
  return undefined;
}

/** Reads a number in its unit, and converts it into ours. */
export function readNumber(text: string, unit: Unit): Reading {
  const bare = unwrap(text);
  const marker = readMarker(bare);
  if (marker !== undefined) return marker;
  const [, digits, suffix = ""] = /^(-?\d{1,20}(?:\.\d{1,9})?)\s*([A-Za-z%/()]*)$/.exec(bare) ?? [];
  const scale = Object.hasOwn(scales[unit], suffix) ? scales[unit][suffix] : undefined;
  if (digits === undefined || scale === undefined) return { kind: "strange", text: bare };
  return { kind: "number", value: Number(digits) * scale };
}

/** The longest text that is kept of a value. */
const longestText = 200;

/** Reads a word or a sentence. `None` is a word like any other: there is no recovery to be made, say. */
export function readWords(text: string): Reading {
  const bare = unwrap(text).replaceAll(/[\p{Cc}\s]+/gu, " ");
  if (bare.toLowerCase() === "none") return { kind: "text", text: bare };
  return readMarker(bare) ?? { kind: "text", text: bare.slice(0, longestText) };
}

const truths: Readonly<Record<string, number>> = {
  yes: 1,
  active: 1,
  enabled: 1,
  true: 1,
  no: 0,
  "not active": 0,
  disabled: 0,
  false: 0,
};

/** Reads `Yes`, `Active` or `Enabled` as 1, and their opposites as 0. */
export function readTruth(text: string): Reading {
  const bare = unwrap(text);
  const value = Object.hasOwn(truths, bare.toLowerCase()) ? truths[bare.toLowerCase()] : undefined;
  if (value !== undefined) return { kind: "number", value };
  return readMarker(bare) ?? { kind: "strange", text: bare };
}
