import { GCProfiler } from "node:v8";
import type { GcFigures, GcPauses } from "../executor.js";

/** Frees what can be freed. Twice, because what finalizers let go is found by the next collection. */
export function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

/**
 * Begins to watch the collector; the returned function ends it. V8's profiler reports the heap before and after every
 * collection, which a PerformanceObserver does not, and so gives the bytes allocated exactly: the sum of what the heap
 * grew by between collections. Costs are in microseconds.
 */
export function watchGc(): () => GcFigures {
  const profiler = new GCProfiler();
  profiler.start();
  let used = process.memoryUsage().heapUsed;
  return () => {
    const atEnd = process.memoryUsage().heapUsed;
    const kinds: Record<string, GcPauses> = {};
    let [allocatedBytes, totalMs, longestMs, count] = [0, 0, 0, 0];
    for (const { gcType, cost, beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
      const ms = cost / 1e3;
      allocatedBytes += Math.max(0, beforeGC.heapStatistics.usedHeapSize - used);
      used = afterGC.heapStatistics.usedHeapSize;
      totalMs += ms;
      longestMs = Math.max(longestMs, ms);
      count++;
      const kind = kinds[gcType] ?? { count: 0, totalMs: 0, longestMs: 0 };
      kinds[gcType] = { count: kind.count + 1, totalMs: kind.totalMs + ms, longestMs: Math.max(kind.longestMs, ms) };
    }
    return { count, totalMs, longestMs, kinds, allocatedBytes: allocatedBytes + Math.max(0, atEnd - used) };
  };
}
