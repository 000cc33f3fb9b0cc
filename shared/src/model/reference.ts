import { z } from "zod";
import { FleetmarkError } from "../errors.js";
import { resultSchema } from "./result.js";
import { parseResultFile } from "./result-file.js";

/** What hosts of a hardware class measured: what another one is compared with where no collector can be asked. */
export const referenceSchema = z.object({
  format: z.literal("fleetmark-reference/1"),
  fleetmark_version: z.string(),
  hw_class: z.string(),
  time_us: z.int().nonnegative().describe("when it was written, microseconds since the Unix epoch"),
  hosts: z.array(z.object({ host: z.string(), results: z.array(resultSchema) })),
});

export type Reference = z.infer<typeof referenceSchema>;

/** The results of one host of a reference. */
export type ReferenceHost = Reference["hosts"][number];

/** A reference as a file holds it: of many hosts, or the results of one. */
export interface ReadReference {
  readonly hw_class: string;
  readonly hosts: readonly ReferenceHost[];
}

function isReference(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && "format" in parsed && parsed.format === "fleetmark-reference/1";
  } catch {
    return false;
  }
}

/**
 * Reads a reference from the text of a file: one of `fleetmark qualify --export`, or a result file.
 * @throws FleetmarkError RESULT_FILE_INVALID
 */
export function parseReference(text: string, name: string): ReadReference {
  if (!isReference(text)) {
    const { run, results } = parseResultFile(text, name);
    return { hw_class: run.hw_class, hosts: [{ host: run.host, results }] };
  }
  const parsed = referenceSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FleetmarkError("RESULT_FILE_INVALID", `${name}: ${issue?.path.join(".")}: ${issue?.message}`, {
    cause: parsed.error,
  });
}
