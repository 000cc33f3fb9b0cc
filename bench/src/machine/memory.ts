import { writeFileSync } from "node:fs";
import { GCProfiler } from "node:v8";
import { fitTrend } from "@fleetmark/shared/stats/trend";
import { readText } from "./host.js";

/** Returns resident memory of this process now and at its peak, in bytes (VmRSS and VmHWM of proc(5)); Node's figure elsewhere. */
export function readResident(): { now: number; peak: number } {
  const status = readText("/proc/self/status") ?? "";
  const read = (key: string): number | undefined => {
    const found = status.match(new RegExp(`^${key}:\\s+(\\d+) kB`, "m"))?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const now = read("VmRSS") ?? process.memoryUsage.rss();
  return { now, peak: read("VmHWM") ?? now };
}

/** Makes the peak start again from the present. Returns whether the kernel let us (clear_refs 5, proc(5)). */
export function resetPeak(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return true;
  } catch {
    return false;
  }
}

/** Frees what can be freed. Twice, because what finalizers let go is found by the next collection. */
export function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

export interface GcPauses {
  readonly count: number;
  readonly totalMs: number;
  readonly longestMs: number;
}

/** What the garbage collector did during some work. */
export interface GcFigures extends GcPauses {
  /** Collections and their pauses by V8's name of the kind: Scavenge, MarkSweepCompact, … */
  readonly kinds: Readonly<Record<string, GcPauses>>;
  /** Bytes that were allocated on the JavaScript heap. */
  readonly allocatedBytes: number;
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

export interface LeakVerdict {
  readonly verdict: "yes" | "no" | "unknown";
  /** Growth of the heap after collection with its 95 % interval, bytes per iteration. */
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/** Fewest rounds from which a trend is read. */
export const fewestLeakRounds = 8;

/** Growth per round under which the runtime's own bookkeeping can't be told from a leak. */
const leastGrowthBytes = 1024;

/**
 * Judges whether work leaks from the heap left after a collection, round after round: its Theil–Sen slope must be over
 * zero with its whole 95 % interval. The first two rounds, where caches fill, are left out.
 * @param heaps bytes of heap and array buffers in use after each round
 */
export function judgeLeak(heaps: readonly number[], iterationsPerRound: number): LeakVerdict {
  if (heaps.length < fewestLeakRounds) return { verdict: "unknown", slope: 0, low: 0, high: 0 };
  const settled = heaps.slice(2);
  const { slope, low, high } = fitTrend(
    settled.map((_, i) => i),
    settled,
  );
  const perIteration = (growth: number): number => growth / iterationsPerRound;
  const leaks = low > 0 && slope >= leastGrowthBytes;
  return {
    verdict: leaks ? "yes" : "no",
    slope: perIteration(slope),
    low: perIteration(low),
    high: perIteration(high),
  };
}
