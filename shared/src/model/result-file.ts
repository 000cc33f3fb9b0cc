import { z } from "zod";
import { errorMessage, FleetmarkError } from "../errors.js";
import { type Result, type Run, resultSchema, runSchema } from "./result.js";

/** Who made a slower level the baseline, and why. */
const acceptanceSchema = z.object({
  by: z.string(),
  reason: z.string(),
  time_us: z.int().nonnegative().describe("microseconds since the Unix epoch"),
  regressions: z.array(z.string()).describe("the figures that had regressed: benchmark and metric"),
});

export type Acceptance = z.infer<typeof acceptanceSchema>;

/** What `fleetmark bench` writes and compares with: a run and its results. */
export const resultFileSchema = z.object({
  format: z.literal("fleetmark-results/1"),
  fleetmark_version: z.string(),
  run: runSchema,
  results: z.array(resultSchema),
  accepted: acceptanceSchema.optional().describe("in a baseline that was kept though it is slower than the one before"),
});

export type ResultFile = z.infer<typeof resultFileSchema>;

/** A result in a file of the Python benchmark suite that this replaces: single figures, no spread. */
const plainResultSchema = z.object({
  name: z.string().min(1),
  category: z.string(),
  duration: z.number().nonnegative(),
  memory_peak_mb: z.number().nonnegative(),
  memory_current_mb: z.number().nonnegative(),
  cpu_percent: z.number().nonnegative(),
  iterations: z.int().positive(),
  throughput: z.number().nonnegative().nullable(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});

const plainFileSchema = z.object({ results: z.array(plainResultSchema) });

/** What a comparison needs of a result to compare with. Intervals are absent where the file has single figures. */
export interface BaselineEntry {
  readonly name: string;
  readonly category: string;
  /** What was processed per second; undefined where that has no meaning. */
  readonly throughput: number | undefined;
  readonly memoryPeakMb: number;
  /** The whole result, where the file holds one. */
  readonly result: Result | undefined;
}

export interface Baseline {
  readonly entries: readonly BaselineEntry[];
  readonly run: Run | undefined;
}

function toEntry(result: z.infer<typeof plainResultSchema> | Result, whole: Result | undefined): BaselineEntry {
  return {
    name: result.name,
    category: result.category,
    throughput: result.throughput === null || result.throughput === 0 ? undefined : result.throughput,
    memoryPeakMb: result.memory_peak_mb,
    result: whole,
  };
}

/** Returns whole results as what others are compared with. */
export function toBaseline(results: readonly Result[], run?: Run): Baseline {
  return { entries: results.map((result) => toEntry(result, result)), run };
}

function explain(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join(".")}: ${issue.message}`)
    .join("; ");
}

/** @throws FleetmarkError RESULT_FILE_INVALID */
function parseJson(text: string, name: string): unknown {
  try {
    // Editors and shells of Windows begin files with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new FleetmarkError("RESULT_FILE_INVALID", `${name} is not JSON: ${errorMessage(cause)}`, { cause });
  }
}

/** @throws FleetmarkError RESULT_FILE_INVALID */
function check<T extends { readonly results: readonly { readonly name: string }[] }>(
  schema: z.ZodType<T>,
  parsed: unknown,
  name: string,
): T {
  const file = schema.safeParse(parsed);
  if (!file.success) throw new FleetmarkError("RESULT_FILE_INVALID", `${name}: ${explain(file.error)}`, { cause: file.error });
  const names = new Set<string>();
  for (const result of file.data.results) {
    if (names.has(result.name))
      throw new FleetmarkError("RESULT_FILE_INVALID", `${name} has ${result.name} twice: which is meant?`);
    names.add(result.name);
  }
  return file.data;
}

/**
 * Reads a result file of this project from its text.
 * @throws FleetmarkError RESULT_FILE_INVALID
 */
export function parseResultFile(text: string, name: string): ResultFile {
  return check(resultFileSchema, parseJson(text, name), name);
}

const namesSchema = z.record(z.string().min(1), z.string().min(1));

/**
 * Reads a map of names from its text: an object whose keys are names of another suite, and whose values are ours.
 * @throws FleetmarkError RESULT_FILE_INVALID
 */
export function parseNames(text: string, name: string): ReadonlyMap<string, string> {
  const names = namesSchema.safeParse(parseJson(text, name));
  if (!names.success) {
    const message = `${name}: it must be an object such as {"their name": "our name"}: ${explain(names.error)}`;
    throw new FleetmarkError("RESULT_FILE_INVALID", message, { cause: names.error });
  }
  return new Map(Object.entries(names.data));
}

/**
 * Reads a baseline from the text of a result file, of this project or of the Python suite.
 * @param names what benchmarks of another suite are called here
 * @throws FleetmarkError RESULT_FILE_INVALID
 */
export function parseBaseline(text: string, name: string, names: ReadonlyMap<string, string> = new Map()): Baseline {
  const parsed = parseJson(text, name);
  if (typeof parsed === "object" && parsed !== null && "format" in parsed) {
    const file = check(resultFileSchema, parsed, name);
    return toBaseline(file.results, file.run);
  }
  const plain = check(plainFileSchema, parsed, name).results;
  const unknown = [...names.keys()].filter((theirs) => !plain.some((result) => result.name === theirs));
  if (unknown.length > 0) throw new FleetmarkError("RESULT_FILE_INVALID", `${name} has none of the map's ${unknown.join(", ")}`);
  const results = plain.map((result) => ({ ...result, name: names.get(result.name) ?? result.name }));
  return {
    entries: check(plainFileSchema, { results }, name).results.map((result) => toEntry(result, undefined)),
    run: undefined,
  };
}

/** Returns the JSON Schema of a result file. */
export function resultFileJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(resultFileSchema);
}
