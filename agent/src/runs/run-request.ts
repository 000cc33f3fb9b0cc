import { matchGlob } from "@fleetmark/shared/model/glob";
import { runLifeShape, runTriggers } from "@fleetmark/shared/model/result";
import { z } from "zod";

const time = z.int().nonnegative();

/** A run that is asked for. */
export const runRequestSchema = z.object({
  run: z.string().min(1).max(128).describe("the id that it has from the first word of it on"),
  suite: z.string().min(1).max(200),
  trigger: z.enum(runTriggers),
  due_us: time.describe("when it was to begin, microseconds since the Unix epoch"),
  expires_us: time.describe("when it is given up, if it has not begun"),
  needs_idle: z.boolean().describe("whether it waits until the host is free, and gives way when it isn't"),
  benchmarks: z.array(z.string()).optional().describe("globs of the benchmarks' full names that are measured; default: all"),
  done: z.array(z.string()).optional().describe("benchmarks that the run which it continues has measured"),
  schedule: runLifeShape.schedule,
  command: runLifeShape.command,
  continues: runLifeShape.continues,
});

export type RunRequest = z.infer<typeof runRequestSchema>;

/** Whether a run is to measure a benchmark of its suite. */
export function isChosen({ benchmarks, done = [] }: RunRequest, name: string): boolean {
  return !done.includes(name) && (benchmarks?.some((glob) => matchGlob(glob, name)) ?? true);
}
