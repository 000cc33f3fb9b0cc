import { z } from "zod";
import { type Run, runSchema } from "../model/result.js";
import { defineRecord } from "./record-kind.js";

const { run, suite, host, hw_class, state, total, completed } = runSchema.shape;

/** When a run was under way, for charts to shade. */
export const runWindowSchema = z.object({
  host,
  hw_class,
  suite,
  time_us: z.int().nonnegative().describe("when the run began, microseconds since the Unix epoch"),
  ended_ms: z.number().describe("when it ended, milliseconds since the Unix epoch, as charts want it"),
  run,
  state,
  total,
  completed,
  environment: z.number().describe("changes when the run's fingerprint does"),
});

export type RunWindow = z.infer<typeof runWindowSchema>;

export const runWindowRecord = defineRecord({
  measurement: "run_window",
  tags: ["host", "hw_class", "suite"],
  identity: ["host", "suite"],
  textField: "run",
  runField: "run",
  origin: "derived",
  schema: runWindowSchema,
});

/** FNV-1a, 32 bits (Fowler, Noll, Vo): a number that differs where texts do, exact in a float. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/**
 * Derives the window of a run: stamped when the run began, so that charts can shade it from there to `ended_ms`.
 * `environment` is a number that changes when the fingerprint does: InfluxQL compares no texts.
 */
export function deriveRunWindow(ended: Run): RunWindow {
  const fingerprint = JSON.stringify(Object.entries(ended.fingerprint).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    host: ended.host,
    hw_class: ended.hw_class,
    suite: ended.suite,
    time_us: ended.started_us,
    ended_ms: ended.time_us / 1000,
    run: ended.run,
    state: ended.state,
    total: ended.total,
    completed: ended.completed,
    environment: hashText(fingerprint),
  };
}
