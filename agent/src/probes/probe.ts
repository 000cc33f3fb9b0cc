import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Point } from "@fleetmark/shared/model/series";

/** Where the kernel's file systems are mounted; a test gives a tree of its own. */
export interface Roots {
  readonly proc: string;
  readonly sys: string;
}

/**
 * Takes one sample, stamped `nowUs` (microseconds since the Unix epoch). It may return no points yet where a value is
 * a difference between two samples. It throws what the file system throws: a missing file means that the host does not
 * offer what the probe reads.
 */
export type Sample = (nowUs: number) => Point[] | Promise<Point[]>;

/**
 * A source of host telemetry. One file each; `registry.ts` lists them. Measurements and fields have Telegraf's names.
 */
export interface Probe<Name extends string = string> {
  readonly name: Name;
  create(roots: Roots): Sample;
}

/** Numbers by field name. */
export type Fields = Record<string, number>;

/** @throws NodeJS.ErrnoException */
export function readProc(roots: Roots, ...path: string[]): string {
  return readFileSync(join(roots.proc, ...path), "utf8");
}

/** Reads a counter. Returns undefined for anything but digits that make a finite number. */
export function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,20}$/.test(text) ? Number(text) : undefined;
}

/** Reads whitespace-separated counters from `words[from]` on, up to the first that is none. */
export function parseCounts(words: readonly string[], from: number): number[] {
  const counts: number[] = [];
  for (let i = from; i < words.length; i++) {
    const count = parseCount(words[i]);
    if (count === undefined) break;
    counts.push(count);
  }
  return counts;
}

/** Says that a file is there but does not hold what the kernel documents. */
export function failParse(file: string): never {
  throw new FleetmarkError("PROBE_FAILED", `${file} does not hold what was expected`);
}
