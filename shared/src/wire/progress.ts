import type { MessageInitShape } from "@bufbuild/protobuf";
import { FleetmarkError } from "../errors.js";
import type { Progress, ProgressSchema } from "../gen/fleetmark/v1/fleet_pb.js";
import type { RunProgress } from "../model/progress.js";
import { seriesLimits } from "../model/series.js";

function violate(message: string): never {
  throw new FleetmarkError("PROTOCOL_VIOLATION", message);
}

/** Returns the message that tells of a run's progress. What is not known of its times is told as 0. */
export function encodeProgress({ elapsed_s, remaining_s, ...progress }: RunProgress): MessageInitShape<typeof ProgressSchema> {
  const [elapsedS, remainingS] = [elapsed_s, remaining_s].map((s) => (Number.isFinite(s) ? s : 0));
  return { ...progress, elapsedS, remainingS };
}

/**
 * Checks what a message tells of a run's progress.
 * @throws FleetmarkError PROTOCOL_VIOLATION
 */
export function decodeProgress({ run, suite, completed, total, benchmark, elapsedS, remainingS }: Progress): RunProgress {
  for (const text of [run, suite, benchmark]) {
    if (text.length <= seriesLimits.tagValueLength) continue;
    violate(`a name in a progress of ${text.length} characters (the limit is ${seriesLimits.tagValueLength})`);
  }
  if (!Number.isFinite(elapsedS) || !Number.isFinite(remainingS)) violate("a progress whose times are not finite");
  if (completed > total) violate(`a progress with ${completed} of ${total} benchmarks completed`);
  return { run, suite, completed, total, benchmark, elapsed_s: elapsedS, remaining_s: remainingS };
}
