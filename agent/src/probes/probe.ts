import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import type { Roots } from "../host/host-file.js";

/** What a probe is opened with. */
export interface ProbeContext {
  readonly roots: Roots;
  readonly logger: Logger;
}

/**
 * A probe at work. Probes run beside one another; no sample of a probe begins before its last one has ended, however
 * long that takes.
 */
export interface OpenProbe {
  /**
   * Takes one sample, stamped `nowUs` (microseconds since the Unix epoch). It may return no points yet where a value
   * is a difference between two samples. It throws what the file system throws: a missing file means that the host
   * does not offer what the probe reads.
   */
  sample(nowUs: number): Point[] | Promise<Point[]>;
  /** Ends what it holds, and any sample under way; it does not wait. */
  close(): void;
}

/** A sample that failed, with what there is to tell of it all the same. */
export class FailedSample extends FleetmarkError {
  readonly points: readonly Point[];

  constructor(message: string, points: readonly Point[]) {
    super("PROBE_FAILED", message);
    this.points = points;
  }
}

/**
 * A source of host telemetry. One file each; `registry.ts` lists them. Measurements and fields have Telegraf's names.
 */
export interface Probe<Name extends string = string> {
  readonly name: Name;
  open(context: ProbeContext): OpenProbe;
}

/** Numbers by field name. */
export type Fields = Record<string, number>;

/** Makes a probe of what holds nothing between samples but what it remembers. */
export function sampleBy(sample: OpenProbe["sample"]): OpenProbe {
  return { sample, close: () => {} };
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
