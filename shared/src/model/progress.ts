import { z } from "zod";

const count = z.int().nonnegative();

/** How far the run under way on a host is: shown where people look, never stored. */
export const progressSchema = z.object({
  run: z.string(),
  suite: z.string(),
  completed: count.describe("benchmarks that ended, with a result or without"),
  total: count.describe("benchmarks of the suite"),
  benchmark: z.string().describe("the benchmark under way; empty when the run has ended"),
  elapsed_s: z.number(),
  remaining_s: z.number(),
});

export type RunProgress = z.infer<typeof progressSchema>;
