import { FleetmarkError } from "@fleetmark/shared/errors";
import type { z } from "zod";
import type { Processed } from "../workloads/workload.js";

/** What a report tells of one benchmark. */
export interface ReportedBenchmark {
  readonly name: string;
  /** In order: seconds per iteration, each over 0. */
  readonly seconds: readonly number[];
  /** Iterations that a sample is the mean of; the median where they differ. */
  readonly iterationsPerSample: number;
  readonly processed?: Processed;
  /** Why it has no samples, where it failed while others did not. */
  readonly failure?: string;
}

/** How a tool reports what it measured. One file each; `registry.ts` lists them. */
export interface ReportFormat {
  readonly name: string;
  /** @throws FleetmarkError BENCHMARK_FAILED when the text is no such report */
  parse(text: string): readonly ReportedBenchmark[];
}

/** Longest part of a text that goes into an error. */
const quotedLength = 200;

export function refuseReport(format: string, what: string): never {
  throw new FleetmarkError("BENCHMARK_FAILED", `its report is not of ${format}: ${what}`);
}

/**
 * Reads one JSON document by a schema; a mark of byte order before it does not matter.
 * @throws FleetmarkError BENCHMARK_FAILED that says where it differs
 */
export function parseDocument<T>(format: string, text: string, schema: z.ZodType<T>): T {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    const begins = text.trim() === "" ? "it is empty" : `it begins with ${JSON.stringify(text.slice(0, quotedLength))}`;
    refuseReport(format, begins);
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return refuseReport(format, `${issue.path.join(".") || "the document"} is wrong (${issue.message})`);
}
