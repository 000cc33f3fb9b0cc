import { createHash } from "node:crypto";
import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch, BatchId, Columns } from "@fleetmark/shared/model/batch";
import { checkSeries, findFault } from "@fleetmark/shared/model/series";
import type { DecodedBatch } from "@fleetmark/shared/wire/batch-decoder";
import { z } from "zod";

/**
 * The samples of a batch that were refused while its others were stored, as the quarantine keeps them: a JSON
 * document that a person can read and that `fleetmark quarantine replay` takes in again.
 */

/** Why a sample may be refused while the rest of its batch is stored. */
export const refusalCodes = [
  "TIME_AHEAD",
  "TIME_BEHIND",
  "VALUE_NOT_FINITE",
  "TEXT_TOO_LONG",
  "SERIES_INVALID",
  "SERIES_OVER_LIMIT",
  "RECORD_INVALID",
] as const satisfies readonly ErrorCode[];
export type RefusalCode = (typeof refusalCodes)[number];

/** JSON has no words for what is not finite. */
const valueSchema = z.union([z.number(), z.string(), z.strictObject({ number: z.enum(["NaN", "Infinity", "-Infinity"]) })]);

export const refusedSamplesSchema = z.strictObject({
  format: z.literal("fleetmark-refused/1"),
  /** The batch that they came in. */
  batch: z.strictObject({ host: z.string().min(1), epoch_us: z.int().nonnegative(), sequence: z.int().positive() }),
  series: z.array(
    z.strictObject({
      measurement: z.string(),
      tags: z.record(z.string(), z.string()),
      field: z.string(),
      fault: z.string().optional().describe("what is wrong with the series, if anything"),
    }),
  ),
  /** Index of the series, time (microseconds since the Unix epoch), value, and why it was refused. */
  samples: z.array(z.tuple([z.int().nonnegative(), z.int(), valueSchema, z.enum(refusalCodes)])),
});

export type RefusedSamples = z.infer<typeof refusedSamplesSchema>;

type Sample = RefusedSamples["samples"][number];

function writeValue(value: number | string): Sample[2] {
  if (typeof value === "string" || Number.isFinite(value)) return value;
  return { number: String(value) as "NaN" | "Infinity" | "-Infinity" };
}

function readValue(value: Sample[2]): number | string {
  return typeof value === "object" ? Number(value.number) : value;
}

type Verdicts = readonly (RefusalCode | undefined)[];

/** Gathers what was refused of a batch, with the reason of each sample. */
export function gatherRefused(batch: Batch, ofNumbers: Verdicts, ofTexts: Verdicts): RefusedSamples {
  const indexes = new Map<number, number>();
  const samples: Sample[] = [];
  const gather = (columns: Columns<number | string>, verdicts: Verdicts): void => {
    for (const [i, code] of verdicts.entries()) {
      if (code === undefined) continue;
      const series = columns.series[i];
      const index = indexes.get(series) ?? indexes.size;
      indexes.set(series, index);
      samples.push([index, columns.timeUs[i], writeValue(columns.values[i]), code]);
    }
  };
  gather(batch.numbers, ofNumbers);
  gather(batch.texts, ofTexts);
  const { host, epochUs, sequence } = batch.id;
  return {
    format: "fleetmark-refused/1",
    batch: { host, epoch_us: epochUs, sequence },
    series: [...indexes.keys()].map((index) => ({ ...batch.series[index], tags: { ...batch.series[index].tags } })),
    samples,
  };
}

/** Beyond every sequence that an agent counts to. */
const ownSequences = 2 ** 52;

/**
 * Names what was refused of a batch by the batch's name: however often the batch came, and what was refused of it was
 * kept, a replay stores it once.
 */
function nameRefused({ host, epochUs, sequence }: BatchId): BatchId {
  const digest = createHash("sha256")
    .update(JSON.stringify([host, epochUs, sequence]))
    .digest();
  return { host, epochUs, sequence: ownSequences + digest.readUIntBE(0, 6) };
}

/**
 * Reads what was refused as a batch of its own.
 * @throws FleetmarkError BATCH_MALFORMED
 */
export function readRefused(text: string): DecodedBatch {
  const { batch, series, samples } = parseRefused(text);
  const numbers: Columns<number> = { series: [], timeUs: [], values: [] };
  const texts: Columns<string> = { series: [], timeUs: [], values: [] };
  for (const [index, timeUs, told] of samples) {
    const value = readValue(told);
    const columns: Columns<number | string> = typeof value === "number" ? numbers : texts;
    columns.series.push(index);
    columns.timeUs.push(timeUs);
    columns.values.push(value);
  }
  const id = nameRefused({ host: batch.host, epochUs: batch.epoch_us, sequence: batch.sequence });
  const read = series.map(({ measurement, tags, field }) => {
    const fault = findFault(() => checkSeries({ measurement, tags, field }));
    return { measurement, tags: { ...tags, host: batch.host }, field, fault };
  });
  return { id, series: read, numbers, texts };
}

/** @throws FleetmarkError BATCH_MALFORMED */
export function parseRefused(text: string): RefusedSamples {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new FleetmarkError("BATCH_MALFORMED", "what was refused is no JSON document", { cause });
  }
  const found = refusedSamplesSchema.safeParse(parsed);
  if (!found.success) {
    throw new FleetmarkError("BATCH_MALFORMED", `what was refused reads ${found.error.issues[0].message}`, {
      cause: found.error,
    });
  }
  const outside = found.data.samples.find(([index]) => index >= found.data.series.length);
  if (outside !== undefined) {
    throw new FleetmarkError("BATCH_MALFORMED", `a sample names series ${outside[0]} of ${found.data.series.length}`);
  }
  return found.data;
}
