import { measureClock } from "../../machine/clock.js";
import { readOwnResident } from "../../machine/memory.js";
import { warmUpReferenceWork } from "../../machine/pace.js";
import type { Task } from "../../workloads/workload.js";
import type { Job, ProcessRun } from "../executor.js";
import { collectGarbage } from "./garbage.js";
import { sink } from "./sample.js";
import { measureTask } from "./task-measurement.js";

/** What the caller knows of this process, and how it is told of the timed part. */
export interface ProcessFacts {
  readonly setupS: number;
  readonly pinned: boolean;
  /** Told before the timed part begins and after it ended. */
  readonly onTiming?: (active: boolean) => Promise<void>;
}

/** Measures a task in this process, and this process with it. */
export async function measureProcess(task: Task, job: Job, { setupS, pinned, onTiming }: ProcessFacts): Promise<ProcessRun> {
  const clock = measureClock();
  warmUpReferenceWork();
  const heapBeforeBytes = process.memoryUsage().heapUsed;
  await onTiming?.(true);
  const { gc, leak, metadata, ...measured } = await measureTask(task, job, clock);
  await onTiming?.(false);
  const resident = readOwnResident();
  collectGarbage();
  const after = process.memoryUsage();
  return {
    ...measured,
    kind: task.kind,
    device: task.device ?? "cpu",
    processed: task.processed,
    metadata: { ...task.metadata, ...metadata },
    setupS,
    clock,
    peakBytes: resident.peak,
    residentBytes: resident.now,
    memory: {
      gc,
      heapBeforeBytes,
      heapAfterBytes: after.heapUsed,
      externalBytes: after.external,
      arrayBufferBytes: after.arrayBuffers,
      leak,
    },
    pinned,
    checksum: sink[0],
  };
}
