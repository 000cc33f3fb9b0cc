import { loadRuntime } from "#bench/runtimes/registry.js";
import { algorithms, traceUpdates } from "./learner-updates.js";

/** Prints, for the runtime that is named, its device and the losses of each algorithm's first updates. */
const runtime = await loadRuntime(process.argv[2]);
const losses: Record<string, readonly number[]> = {};
for (const algorithm of algorithms) losses[algorithm] = (await traceUpdates(runtime, algorithm)).losses;
process.stdout.write(`${JSON.stringify({ device: runtime.device, losses })}\n`, () => process.exit(0));
