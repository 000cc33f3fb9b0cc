import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";
import { createPause, type Pause } from "@fleetmark/shared/waiting";
import { readClockUs } from "../platform/clock.js";
import { type Store, StoreBusy } from "../store/store.js";
import type { Metrics } from "../telemetry/metrics.js";
import { addToQueue, createWriteQueue, hasGroup, type Queued, removeGroup, selectGroup, type WriteQueue } from "./write-queue.js";

/**
 * Gathers what arrives while the store commits, and for a tenth of a second, into the next transaction: group commit.
 * A transaction costs as much as thousands of samples; the first after a pause waits for nothing.
 *
 *   prepare the store ─► then
 *   enqueue ─► queue ─► gather ─► group ─► store.write ─┬─ committed ─► acknowledge each ─► tell ─► remove
 *                ▲                  ▲                   └─ failed ────► pause, longer each time ─┐
 *                │                  └────────────────────────────────────────────────────────────┘
 *                └─ full: waitForRoom holds the links back until a group is removed
 *
 * One transaction at a time. A batch leaves the queue when it is committed and never otherwise, so that what is not
 * acknowledged when the writer ends is what its agents send again.
 */
export interface Writer {
  /**
   * Queues a batch; `onCommitted` is called once it is durable, and never if that does not come to pass.
   * @param records what it holds of records, decoded: they are told of when it is committed and was new
   * @param onConflict called in place of `onCommitted` where the store has another batch of this name
   */
  enqueue(
    batch: Batch,
    encodedBytes: number,
    onCommitted?: () => void,
    records?: readonly KindedRecord[],
    onConflict?: () => void,
  ): void;
  /** Resolves at once while there is room, else when there is room again. */
  waitForRoom(): Promise<void> | undefined;
  /**
   * Why the store takes no writes: the failure that the writer is trying to overcome, or that it has not answered for
   * long.
   */
  failure(): string | undefined;
  /** Commits what is queued, for at most so long, and ends. What is not committed then was never acknowledged. */
  stop(withinMs: number): Promise<void>;
}

/**
 * Hears after a commit which records are new, in the order in which their batches came; not called where none is. It
 * hears of a record once, but where the store does not know what it has (InfluxDB after a restart), a resend counts
 * as new. What it throws is logged, and harms nothing.
 */
export type CommitListener = (records: readonly KindedRecord[]) => void;

interface WriterState {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly onCommitted: CommitListener;
  readonly queue: WriteQueue;
  readonly gathering: Pause;
  readonly retrying: Pause;
  /** When the last transaction began. */
  beganAt: number;
  /** Whether the store has shown that it keeps what is written. */
  isPrepared: boolean;
  /** Since when the store owes an answer. */
  writingSince: number | undefined;
  failure: string | undefined;
  running: Promise<void> | undefined;
  /** No more gathering: what is queued is the last. */
  isEnding: boolean;
  /** No more attempts either. */
  isOver: boolean;
}

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

function showQueue({ metrics, queue }: WriterState): void {
  metrics.queueBatches.set(queue.queued.length);
  metrics.queueBytes.set(queue.bytes);
}

function findFailure({ failure, writingSince, isPrepared }: WriterState): string | undefined {
  const waited = writingSince === undefined ? 0 : performance.now() - writingSince;
  if (!isPrepared) return failure ?? "the store has not shown yet that it keeps what is written";
  return failure ?? (waited < patienceMs ? undefined : `the store has not answered a write for ${Math.round(waited / 1e3)} s`);
}

/** Returns what is to be waited for before the next transaction, if anything. */
function gather({ beganAt, isEnding, queue, gathering }: WriterState): Promise<void> | undefined {
  const leftMs = beganAt + gatherMs - performance.now();
  return isEnding || leftMs <= 0 || hasGroup(queue) ? undefined : gathering.wait(leftMs / 1e3);
}

function countCommitted({ metrics }: WriterState, { batch, samples }: Queued, nowUs: number): void {
  metrics.samplesCommitted.inc(samples);
  metrics.batchesCommitted.inc();
  const newestUs = findNewestUs(batch);
  if (newestUs !== undefined) metrics.endToEndSeconds.observe(Math.max(0, nowUs - newestUs) / 1e6);
}

function tellCommitted({ onCommitted, logger }: WriterState, records: readonly KindedRecord[]): void {
  if (records.length === 0) return;
  try {
    onCommitted(records);
  } catch (thrown) {
    logger.error({ event: "commit_listener_failed", err: thrown, records: records.length }, "new records were not heard of");
  }
}

async function commitGroup(writer: WriterState, group: readonly Queued[]): Promise<void> {
  const { store, metrics } = writer;
  const started = performance.now();
  writer.writingSince = started;
  const conflicting = new Set<Batch>();
  const writing = store.write(
    group.map(({ batch }) => batch),
    readClockUs(),
    (batch) => conflicting.add(batch),
  );
  const stored = new Set(await writing.finally(() => (writer.writingSince = undefined)));
  metrics.commitSeconds.observe((performance.now() - started) / 1e3);
  const nowUs = readClockUs();
  for (const queued of group) {
    if (conflicting.has(queued.batch)) {
      (queued.onConflict ?? queued.onCommitted)?.();
      continue;
    }
    if (stored.has(queued.batch)) countCommitted(writer, queued, nowUs);
    else metrics.batchesRepeated.inc();
    queued.onCommitted?.();
  }
  tellCommitted(
    writer,
    group.filter(({ batch }) => stored.has(batch)).flatMap(({ records }) => records),
  );
}

/** Notes why the store refused a group, and waits before the next attempt. */
async function waitForStore(writer: WriterState, thrown: unknown, retryMs: number): Promise<void> {
  const { metrics, logger, queue, retrying } = writer;
  writer.failure = errorMessage(thrown);
  const waitMs = Math.max(retryMs, thrown instanceof StoreBusy ? Math.min(thrown.retryAfterMs, longestAskedMs) : 0);
  metrics.storeFailures.inc();
  logger.error(
    { event: "store_failed", error: writer.failure, retry_ms: waitMs, queued_batches: queue.queued.length },
    "the store refused a write",
  );
  // Half as much again is chance, so that collectors that share a store do not knock together.
  if (!writer.isOver) await retrying.wait((waitMs / 1e3) * (1 + Math.random() / 2));
}

function showRecovery(writer: WriterState): void {
  if (writer.failure !== undefined) writer.logger.info({ event: "store_recovered" }, "the store takes writes again");
  writer.failure = undefined;
}

/** @param firstAttempt at preparing the store, where that is needed */
async function run(writer: WriterState, firstAttempt?: Promise<void>): Promise<void> {
  const { queue, store } = writer;
  let retryMs = firstRetryMs;
  let preparing = firstAttempt;
  while ((queue.queued.length > 0 || !(writer.isPrepared || writer.isEnding)) && !writer.isOver) {
    const gathering = writer.isPrepared ? gather(writer) : undefined;
    if (gathering !== undefined) await gathering;
    try {
      if (!writer.isPrepared) {
        await (preparing ?? store.prepare());
        writer.isPrepared = true;
        showRecovery(writer);
        continue;
      }
      writer.beganAt = performance.now();
      const group = selectGroup(queue);
      await commitGroup(writer, group);
      showRecovery(writer);
      retryMs = firstRetryMs;
      removeGroup(queue, group);
      showQueue(writer);
    } catch (thrown) {
      preparing = undefined;
      await waitForStore(writer, thrown, retryMs);
      retryMs = Math.min(lastRetryMs, retryMs * 2);
    }
  }
  writer.running = undefined;
}

async function stopWriter(writer: WriterState, withinMs: number): Promise<void> {
  const deadline = setTimeout(() => {
    writer.isOver = true;
    writer.retrying.end();
  }, withinMs);
  writer.isEnding = true;
  writer.gathering.end();
  if (writer.queue.queued.length === 0) writer.retrying.end();
  await writer.running;
  clearTimeout(deadline);
  // What comes later, such as from a quarantine that took its time, is not stored and not acknowledged.
  writer.isOver = true;
}

export function createWriter(store: Store, metrics: Metrics, logger: Logger, onCommitted: CommitListener = () => {}): Writer {
  const writer: WriterState = {
    store,
    metrics,
    logger,
    onCommitted,
    queue: createWriteQueue(),
    gathering: createPause(),
    retrying: createPause(),
    beganAt: Number.NEGATIVE_INFINITY,
    isPrepared: false,
    writingSince: undefined,
    failure: undefined,
    running: undefined,
    isEnding: false,
    isOver: false,
  };
  const preparing = store.prepare();
  writer.isPrepared = preparing === undefined;
  if (preparing !== undefined) writer.running = run(writer, preparing);
  return {
    enqueue: (batch, encodedBytes, committed, records = [], onConflict) => {
      addToQueue(writer.queue, { batch, records, onCommitted: committed, onConflict }, encodedBytes);
      if (hasGroup(writer.queue)) writer.gathering.end();
      showQueue(writer);
      writer.running ??= run(writer);
    },
    waitForRoom: () => writer.queue.room.wait(),
    failure: () => findFailure(writer),
    stop: (withinMs) => stopWriter(writer, withinMs),
  };
}
