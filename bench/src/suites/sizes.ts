import { algorithms, updateParts } from "../programs/learner.js";
import type { Params } from "../workloads/workload.js";

/** The sizes that tensor benchmarks are measured at, whatever they run on. */

export { algorithms };

/** Elements of vectors, rows of square matrices, and transitions that an update learns from. */
export const vectorSizes = [100, 1000, 10_000, 100_000, 1_000_000] as const;
export const matmulSizes = [256, 1024] as const;
export const batches = [64, 256, 1024] as const;

/** Applying gradients takes the same for every batch: it is measured at one. */
export function listUpdateParts(): Params[] {
  return algorithms.flatMap((algorithm) =>
    updateParts.flatMap((part) => (part === "application" ? [256] : batches).map((batch) => ({ algorithm, part, batch }))),
  );
}
