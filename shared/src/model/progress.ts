import { z } from "zod";

const count = z.int().nonnegative();

/** What a host is to run next: shown where people look, never stored. */
export const outlookSchema = z.object({
  next_run_us: count.describe("when its schedule starts the next run, microseconds since the Unix epoch; 0 for never"),
  next_suite: z.string(),
  waits_for: z.string().describe("why a run that waits has not begun; empty when none waits"),
});

export type RunOutlook = z.infer<typeof outlookSchema>;

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

/** What a host tells of its runs: the one under way, and what comes next. */
export interface HostProgress extends RunProgress {
  readonly outlook?: RunOutlook;
}

/** Of a host on which no run is under way. */
export const noProgress: RunProgress = {
  run: "",
  suite: "",
  completed: 0,
  total: 0,
  benchmark: "",
  elapsed_s: 0,
  remaining_s: 0,
};
