import { readOwnResident, resetPeak } from "../../machine/memory.js";
import type { Iterate } from "../../workloads/workload.js";
import type { GcFigures } from "../executor.js";
import { collectGarbage, watchGc } from "./garbage.js";
import { timeFirstCall } from "./sample.js";

export interface EpisodeMemory {
  readonly residentBeforeBytes: number;
  readonly peakBytes: number;
  /** False where the kernel kept the peak of the time before the episode: the peak is then an upper bound. */
  readonly peakReset: boolean;
  /** Heap and external memory that the episode leaves behind after a collection. */
  readonly retainedBytes: number;
  readonly gc: GcFigures;
  readonly seconds: number;
}

function readUsed(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Runs one episode and measures what memory it takes. */
export async function measureEpisode(episode: Iterate): Promise<EpisodeMemory> {
  collectGarbage();
  const usedBefore = readUsed();
  const residentBeforeBytes = readOwnResident().now;
  const peakReset = resetPeak("self");
  const endWatch = watchGc();
  const { seconds } = await timeFirstCall(episode);
  const gc = endWatch();
  const peakBytes = readOwnResident().peak;
  collectGarbage();
  return { residentBeforeBytes, peakBytes, peakReset, retainedBytes: readUsed() - usedBefore, gc, seconds };
}
