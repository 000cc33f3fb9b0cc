import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Iterate } from "../../workloads/workload.js";

/** Functions of the user's own, which return whatever they like. */

/** What calls return is kept here, so that the work is not optimised away. */
let kept: unknown;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** @throws FleetmarkError BENCHMARK_FAILED */
function refuseMixed(returned: PromiseLike<unknown>): never {
  // It is not awaited any more, and may fail.
  returned.then(undefined, () => {});
  const what = "it returns a promise in some calls and none in others: make it return one always, or never";
  throw new FleetmarkError("BENCHMARK_FAILED", what);
}

/**
 * Calls a function as often as its warm-up asks, at least once to see whether it returns a promise, and returns what
 * measures it. One that does so only sometimes is awaited if it did in any of these calls; else the first promise that
 * comes later fails with BENCHMARK_FAILED.
 */
export async function wrapCalls(fn: () => unknown, warmup: number): Promise<Iterate> {
  let isAwaited = false;
  for (let i = 0; i < Math.max(1, warmup); i++) {
    const returned = fn();
    isAwaited ||= isThenable(returned);
    kept = await returned;
  }
  if (isAwaited) {
    return async () => {
      kept = await fn();
      return typeof kept === "number" ? kept : 1;
    };
  }
  return () => {
    kept = fn();
    if (isThenable(kept)) refuseMixed(kept);
    return typeof kept === "number" ? kept : 1;
  };
}
