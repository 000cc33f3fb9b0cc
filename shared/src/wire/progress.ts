import type { MessageInitShape } from "@bufbuild/protobuf";
import { FleetmarkError } from "../errors.js";
import type { Progress, ProgressSchema } from "../gen/fleetmark/v1/fleet_pb.js";
import type { HostProgress, RunOutlook, RunProgress } from "../model/progress.js";
import { seriesLimits } from "../model/series.js";

function violate(message: string): never {
  throw new FleetmarkError("PROTOCOL_VIOLATION", message);
}

/** Returns the message that tells of a run's progress, and what comes next. What is not known of times is told as 0. */
export function encodeProgress(told: HostProgress): MessageInitShape<typeof ProgressSchema> {
  const { elapsed_s, remaining_s, outlook = nothingAhead, ...progress } = told;
  const { next_run_us, next_suite, waits_for } = outlook;
  const [elapsedS, remainingS] = [elapsed_s, remaining_s].map((s) => (Number.isFinite(s) ? s : 0));
  const waitsFor = waits_for.slice(0, seriesLimits.tagValueLength);
  return { ...progress, elapsedS, remainingS, nextRunUs: BigInt(next_run_us), nextSuite: next_suite, waitsFor };
}

/** Of a host without a schedule on which nothing waits. */
export const nothingAhead: RunOutlook = { next_run_us: 0, next_suite: "", waits_for: "" };

/**
 * Checks what a message tells of a run's progress.
 * @throws FleetmarkError PROTOCOL_VIOLATION
 */
export function decodeProgress(message: Progress): { readonly progress: RunProgress; readonly outlook: RunOutlook } {
  const { run, suite, completed, total, benchmark, elapsedS, remainingS, nextRunUs, nextSuite, waitsFor } = message;
  for (const text of [run, suite, benchmark, nextSuite, waitsFor]) {
    if (text.length <= seriesLimits.tagValueLength) continue;
    violate(`a name in a progress of ${text.length} characters (the limit is ${seriesLimits.tagValueLength})`);
  }
  if (!Number.isFinite(elapsedS) || !Number.isFinite(remainingS)) violate("a progress whose times are not finite");
  if (completed > total) violate(`a progress with ${completed} of ${total} benchmarks completed`);
  if (nextRunUs < 0n || nextRunUs > BigInt(Number.MAX_SAFE_INTEGER)) violate("a progress whose next run is at no time");
  return {
    progress: { run, suite, completed, total, benchmark, elapsed_s: elapsedS, remaining_s: remainingS },
    outlook: { next_run_us: Number(nextRunUs), next_suite: nextSuite, waits_for: waitsFor },
  };
}
