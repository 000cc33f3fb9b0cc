import { errorMessage } from "@fleetmark/shared/errors";
import type { Batch, Columns } from "@fleetmark/shared/model/batch";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import type { QuarantineEntry } from "./contents.js";
import { parseRefused } from "./refused-samples.js";

/** A sample in quarantine. */
export interface ShownSample {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly field: string;
  /** Microseconds since the Unix epoch. */
  readonly time_us: number;
  /** What is not finite is a text. */
  readonly value: number | string;
  /** Why it was refused; empty where its batch was rejected whole. */
  readonly code: string;
  /** What is wrong with its series, if anything. */
  readonly fault: string;
}

/** What lies in quarantine, as far as it can be read. */
export interface ShownContent {
  /** Why nothing of it can be read; empty where it can. */
  readonly problem: string;
  /** The line that InfluxDB refused; empty for all else. */
  readonly line: string;
  readonly samples: readonly ShownSample[];
}

const showValue = (value: number | string): number | string =>
  typeof value === "string" || Number.isFinite(value) ? value : String(value);

function listSamples({ series, numbers, texts }: Batch, faults: readonly (string | undefined)[]): ShownSample[] {
  const list = (columns: Columns<number | string>): ShownSample[] =>
    columns.values.map((value, i) => {
      const index = columns.series[i];
      const { measurement, tags, field } = series[index];
      const shown = { measurement, tags: { ...tags }, field, time_us: columns.timeUs[i], value: showValue(value) };
      return { ...shown, code: "", fault: faults[index] ?? "" };
    });
  return [...list(numbers), ...list(texts)];
}

function showRefused(text: string): ShownSample[] {
  const { series, samples } = parseRefused(text);
  return samples.map(([index, time_us, value, code]) => {
    const { measurement, tags, field, fault = "" } = series[index];
    return { measurement, tags, field, time_us, value: typeof value === "object" ? value.number : value, code, fault };
  });
}

/** Reads what lies in quarantine; what is wrong with it is said, and never thrown. */
export function showQuarantined({ kind }: Pick<QuarantineEntry, "kind">, bytes: Buffer): ShownContent {
  const nothing: ShownContent = { problem: "", line: "", samples: [] };
  try {
    if (kind === "line") return { ...nothing, line: bytes.toString("utf8").trimEnd() };
    if (kind === "samples") return { ...nothing, samples: showRefused(bytes.toString("utf8")) };
    const batch = decodeBatch(bytes);
    const faults = batch.series.map(({ fault }) => fault);
    return { ...nothing, samples: listSamples(batch, faults) };
  } catch (thrown) {
    return { ...nothing, problem: errorMessage(thrown) };
  }
}
