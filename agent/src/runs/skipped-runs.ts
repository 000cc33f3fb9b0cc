import type { Logger } from "@fleetmark/shared/log";
import { type SkippedRun, skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import type { Delivery } from "../delivery/delivery.js";
import type { RunRequest } from "./run-request.js";

export type SkipOutcome = SkippedRun["outcome"];

export interface SkipOptions {
  readonly host: string;
  readonly findHardwareClass: () => string;
  readonly delivery: Pick<Delivery, "clock" | "recordResult">;
  readonly logger: Logger;
}

/** Records a run that did not begin, so that it is a gap with a reason. */
export function recordSkipped(options: SkipOptions, request: RunRequest, outcome: SkipOutcome, reason: string, count = 1): void {
  const { host, findHardwareClass, delivery, logger } = options;
  const { run, suite, trigger, due_us, schedule, command } = request;
  const skipped: SkippedRun = {
    host,
    hw_class: findHardwareClass(),
    suite,
    time_us: delivery.clock.stamp(),
    outcome,
    run,
    trigger,
    reason,
    due_us,
    count,
    ...(schedule === undefined ? {} : { schedule }),
    ...(command === undefined ? {} : { command }),
  };
  void delivery.recordResult(skippedRunRecord.toPoint(skipped));
  logger.warn({ event: "run_skipped", run, suite, outcome, trigger, count }, reason);
}
