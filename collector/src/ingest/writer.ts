import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { type Batch, countSamples } from "@fleetmark/shared/model/batch";
import { readClockUs } from "../platform/clock.js";
import { type Store, StoreBusy } from "../store/store.js";
import type { Metrics } from "../telemetry/metrics.js";

/**
 * Gathers what arrives while the store commits, and for a tenth of a second, into the next transaction: group commit. A transaction
 * costs as much as thousands of samples; the first after a pause waits for nothing.
 */
export interface Writer {
  /** Queues a batch; `onCommitted` is called once it is durable, and never if that does not come to pass. */
  enqueue(batch: Batch, encodedBytes: number, onCommitted?: () => void): void;
  /** Resolves at once while there is room, else when there is room again. */
  waitForRoom(): Promise<void> | undefined;
  /** Why the store takes no writes: the failure that the writer is trying to overcome, or that it has not answered for long. */
  failure(): string | undefined;
  /** Commits what is queued, for at most so long, and ends. What is not committed then was never acknowledged. */
  close(withinMs: number): Promise<void>;
}

interface Queued {
  readonly batch: Batch;
  readonly samples: number;
  readonly weight: number;
  readonly onCommitted: (() => void) | undefined;
}

/** Encoded bytes in the queue at which the streams are asked to pause; decoded they take about five times as much. */
const queueBytes = 32 * 2 ** 20;
/** What a queued batch weighs over its encoded bytes. */
const batchOverheadBytes = 1024;
/** The most samples that one transaction takes: laying them into rows holds up the event loop for some 20 ms. */
const groupSamples = 50_000;
/** From the begin of one transaction to that of the next, unless a whole group waits. */
const gatherMs = 100;
const firstRetryMs = 100;
const lastRetryMs = 10_000;
/** A store that takes longer than this for one group hangs, as far as anyone who asks for its health is concerned. */
const patienceMs = 15_000;
/** A store that asks for a longer pause than this is tried all the same. */
const longestAskedMs = 300_000;

/** Returns the newest time among the samples of a batch, or undefined when it has none. */
function findNewestUs(batch: Batch): number | undefined {
  let newest: number | undefined;
  for (const times of [batch.numbers.timeUs, batch.texts.timeUs]) {
    for (const time of times) if (newest === undefined || time > newest) newest = time;
  }
  return newest;
}

export function createWriter(store: Store, metrics: Metrics, logger: Logger): Writer {
  let queue: Queued[] = [];
  let queuedBytes = 0;
  let queuedSamples = 0;
  let beganAt = Number.NEGATIVE_INFINITY;
  let closing = false;
  let endGathering = (): void => {};
  let running: Promise<void> | undefined;
  let failure: string | undefined;
  let writingSince: number | undefined;
  let stopped = false;
  let wake = (): void => {};
  let room: PromiseWithRoom | undefined;

  const isFull = (): boolean => queuedBytes >= queueBytes;
  const hasGroup = (): boolean => queuedSamples >= groupSamples || isFull();

  const noteQueue = (): void => {
    metrics.queueBatches.set(queue.length);
    metrics.queueBytes.set(queuedBytes);
  };

  const findFailure = (): string | undefined => {
    const waited = writingSince === undefined ? 0 : performance.now() - writingSince;
    return failure ?? (waited < patienceMs ? undefined : `the store has not answered a write for ${Math.round(waited / 1e3)} s`);
  };

  const takeGroup = (): Queued[] => {
    let samples = 0;
    const next = queue.findIndex((queued) => {
      samples += queued.samples;
      return samples > groupSamples;
    });
    return queue.slice(0, next === -1 ? queue.length : Math.max(1, next));
  };

  const removeGroup = (group: readonly Queued[]): void => {
    queue = queue.slice(group.length);
    for (const { weight, samples } of group) {
      queuedBytes -= weight;
      queuedSamples -= samples;
    }
    noteQueue();
    if (room !== undefined && !isFull()) {
      room.resolve();
      room = undefined;
    }
  };

  const commitGroup = async (group: readonly Queued[]): Promise<void> => {
    const started = performance.now();
    writingSince = started;
    const batches = group.map(({ batch }) => batch);
    const stored = new Set(await store.write(batches, readClockUs()).finally(() => (writingSince = undefined)));
    metrics.commitSeconds.observe((performance.now() - started) / 1e3);
    const nowUs = readClockUs();
    for (const { batch, samples, onCommitted } of group) {
      if (stored.has(batch)) {
        metrics.samplesCommitted.inc(samples);
        metrics.batchesCommitted.inc();
        const newestUs = findNewestUs(batch);
        if (newestUs !== undefined) metrics.endToEndSeconds.observe(Math.max(0, nowUs - newestUs) / 1e6);
      } else {
        metrics.batchesRepeated.inc();
      }
      onCommitted?.();
    }
  };

  /** Returns what is to be waited for before the next transaction, if anything. */
  const gather = (): Promise<void> | undefined => {
    const leftMs = beganAt + gatherMs - performance.now();
    if (closing || leftMs <= 0 || hasGroup()) return undefined;
    const pause = startPause(leftMs);
    endGathering = pause.end;
    return pause.over;
  };

  const run = async (): Promise<void> => {
    let retryMs = firstRetryMs;
    while (queue.length > 0 && !stopped) {
      const gathering = gather();
      if (gathering !== undefined) await gathering;
      beganAt = performance.now();
      const group = takeGroup();
      try {
        await commitGroup(group);
        if (failure !== undefined) logger.info({ event: "store_recovered" }, "the store takes writes again");
        failure = undefined;
        retryMs = firstRetryMs;
        removeGroup(group);
      } catch (thrown) {
        failure = errorMessage(thrown);
        const waitMs = Math.max(retryMs, thrown instanceof StoreBusy ? Math.min(thrown.retryAfterMs, longestAskedMs) : 0);
        metrics.storeFailures.inc();
        logger.error(
          { event: "store_failed", error: failure, retry_ms: waitMs, queued_batches: queue.length },
          "the store refused a write",
        );
        // Half as much again is chance, so that collectors that share a store do not knock together.
        if (!stopped) {
          const pause = startPause(waitMs * (1 + Math.random() / 2));
          wake = pause.end;
          await pause.over;
        }
        retryMs = Math.min(lastRetryMs, retryMs * 2);
      }
    }
    running = undefined;
  };

  return {
    enqueue: (batch, encodedBytes, onCommitted) => {
      const weight = encodedBytes + batchOverheadBytes;
      const samples = countSamples(batch);
      queue.push({ batch, samples, weight, onCommitted });
      queuedBytes += weight;
      queuedSamples += samples;
      if (hasGroup()) endGathering();
      noteQueue();
      running ??= run();
    },
    waitForRoom: () => {
      if (!isFull()) return undefined;
      room ??= createRoom();
      return room.promise;
    },
    failure: findFailure,
    close: async (withinMs) => {
      const deadline = setTimeout(() => {
        stopped = true;
        wake();
      }, withinMs);
      closing = true;
      endGathering();
      await running;
      clearTimeout(deadline);
    },
  };
}

/** Begins a pause that can be ended early. */
function startPause(ms: number): { readonly over: Promise<void>; readonly end: () => void } {
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    end = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { over, end };
}

interface PromiseWithRoom {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function createRoom(): PromiseWithRoom {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
