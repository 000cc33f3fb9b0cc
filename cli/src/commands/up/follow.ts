import { setTimeout as delay } from "node:timers/promises";
import type { Run } from "@fleetmark/shared/model/result";
import type { Source } from "../../client/source.js";
import { type ProgressLine, showRunProgress } from "../../output/progress-line.js";
import type { Pair } from "./pair.js";

const pollMs = 250;

/** So long a run whose agent has died may still come out of the agent's spool. */
const lostAfterMs = 15_000;

/** So long a host without a suite has to be heard of. */
const firstSampleMs = 15_000;

export interface FollowOptions {
  readonly pair: Pick<Pair, "agent">;
  readonly source: Source;
  /** When `up` began, by this machine's clock. */
  readonly startedUs: number;
  readonly progress: ProgressLine;
  readonly signal: AbortSignal;
}

/** Asks, and returns undefined where nothing answers: a collector that died is being started again. */
async function askPatiently<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}

/**
 * Follows the host's run until the collector has committed its end; undefined if stopped before, or if the agent died
 * in the midst of it.
 */
export async function followRun({ pair, source, startedUs, progress, signal }: FollowOptions): Promise<Run | undefined> {
  const { host } = pair.agent.facts;
  let diedMs: number | undefined;
  while (!signal.aborted) {
    const ended = await askPatiently(() => source.readRuns({ host }, { limit: 1 }));
    const run = ended?.find((each) => each.started_us >= startedUs);
    if (run !== undefined) return run;
    const hosts = await askPatiently(() => source.readHosts());
    const now = hosts?.find((each) => each.host === host)?.progress;
    if (now && !signal.aborted) showRunProgress(progress, now);
    if (pair.agent.restarts() > 0) diedMs ??= performance.now();
    if (diedMs !== undefined && performance.now() - diedMs > lostAfterMs) return undefined;
    await delay(pollMs);
  }
  return undefined;
}

/** Waits until the first samples of the host are stored; false if they never came. */
export async function awaitFirstSample({ pair, source, signal }: FollowOptions): Promise<boolean> {
  const { host } = pair.agent.facts;
  const untilMs = performance.now() + firstSampleMs;
  while (!signal.aborted && performance.now() < untilMs) {
    const hosts = await askPatiently(() => source.readHosts());
    const found = hosts?.find((each) => each.host === host);
    if (found?.attached && found.batches_received > 0) return true;
    await delay(pollMs);
  }
  return false;
}
