import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** What was found damaged in a data file and taken out of it, kept beside it for whoever asks what is missing. */

const fileName = "damage.json";

const rangeSchema = z.object({
  table: z.string(),
  rows: z.int().nonnegative(),
  from_us: z.number().nullable().describe("time of the first of them, microseconds since the Unix epoch; null if unreadable"),
  to_us: z.number().nullable(),
  found_us: z.number(),
});

export type DamagedRange = z.infer<typeof rangeSchema>;

const fileSchema = z.object({ ranges: z.array(rangeSchema) });

/** Reads what was recorded; nothing where nothing was, or the file makes no sense. */
export async function readDamageRecord(dataDir: string): Promise<DamagedRange[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(join(dataDir, fileName), "utf8"))).ranges;
  } catch {
    return [];
  }
}

export async function writeDamageRecord(dataDir: string, ranges: readonly DamagedRange[]): Promise<void> {
  const path = join(dataDir, fileName);
  await writeFile(`${path}.new`, `${JSON.stringify({ ranges }, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
