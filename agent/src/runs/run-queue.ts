import { errorMessage } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Run } from "@fleetmark/shared/model/result";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { runRecord } from "@fleetmark/shared/records/run";
import { createPause, toTimerMs, waitAtMost } from "@fleetmark/shared/waiting";
import type { Delivery } from "../delivery/delivery.js";
import type { IdleWatch } from "../idle/idle-watch.js";
import type { Bench } from "./bench.js";
import type { QuietGate } from "./quiet-gate.js";
import type { CurrentRun, RunBook } from "./run-book.js";
import type { RunRequest } from "./run-request.js";
import { recordSkipped, type SkipOutcome } from "./skipped-runs.js";
import { describeLife, type EarlyEnd, type RunOutcome, startSuiteRun } from "./suite-run.js";

/**
 * Runs suites one after the other, each when the host is free for it.
 *
 *                 ┌──────────── gives way: what is left waits again ────────────┐
 *                 ▼                                                             │
 *   asked ──► waiting ──► the host is free, or it needs not be ──► under way ──┴──► recorded
 *                 │
 *                 └──► too late, called off ──► recorded as skipped, with the reason
 */

export interface RunQueueOptions {
  readonly host: string;
  readonly findHardwareClass: () => string;
  /** Longest time between two starts of the schedule of a suite, seconds; undefined where it has none. */
  readonly findEvery: (suite: string) => number | undefined;
  /** Resolves when the host is known well enough for a run: its results carry the hardware class. */
  readonly ready: Promise<void>;
  readonly bench: Bench;
  readonly book: RunBook;
  readonly idle: IdleWatch;
  /** Seconds for which the host must have been free before a run begins. */
  readonly settleS: number;
  /** Seconds after which a run is ended, whatever it is at. */
  readonly longestRunS: number;
  readonly delivery: Pick<Delivery, "clock" | "recordResult" | "report" | "flush">;
  readonly gate: QuietGate;
  /** The host's time, milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  /** Told when a run begins and when none is under way any more. */
  readonly onActive: (isActive: boolean) => void;
  readonly logger: Logger;
}

/** How the queue stands. */
export interface QueueState {
  readonly current: RunRequest | undefined;
  readonly waiting: readonly RunRequest[];
  /** Why the first that waits has not begun; undefined where none waits or nothing keeps it. */
  readonly waitsFor: string | undefined;
}

export interface RunQueue extends Running {
  /**
   * Takes a run into the book's pages; keep the book for it to outlive this process. Resolves with what it gave, or
   * with nothing if it did not begin.
   */
  add(request: RunRequest): Promise<RunOutcome | undefined>;
  /** Calls off what waits, and ends what is under way, of those chosen. Returns how many. */
  cancel(isChosen: (request: RunRequest) => boolean, reason: string): number;
  read(): QueueState;
}

/** Seconds between two looks at a host that is not free, or for what is too late. */
const lookEveryS = 2;

/** How many times longer than usual a host must have been free after a run gave way. */
const afterYield = 6;

/** Seconds: nothing waits, and who asks for a run wakes the queue. */
const idleWaitS = 3600;

/** Seconds for what a run gave to get onto the disk. */
const flushPatienceS = 5;

const stopped: EarlyEnd = { state: "interrupted", reason: "the agent was stopped" };

/** A run that waits, with who waits for it. */
interface Entry {
  readonly request: RunRequest;
  settle(outcome: Promise<RunOutcome | undefined>): void;
}

interface Current {
  readonly request: RunRequest;
  readonly ending: AbortController;
  early: EarlyEnd | undefined;
}

interface QueueParts {
  readonly options: RunQueueOptions;
  readonly waiting: Entry[];
  current: Current | undefined;
  isStopped: boolean;
  waitsFor: string | undefined;
  /** Since when the host has been free, by a clock that never steps; undefined while it is not. */
  freeSinceMs: number | undefined;
  /** How many times longer than usual it must have been: a host that was at work just now may be again. */
  caution: number;
  wake(): void;
}

function takeOut(queue: QueueParts, entry: Entry): void {
  const { waiting, options } = queue;
  waiting.splice(waiting.indexOf(entry), 1);
  const { pages } = options.book;
  pages.waiting = pages.waiting.filter(({ run }) => run !== entry.request.run);
}

function skip(queue: QueueParts, entry: Entry, outcome: SkipOutcome, reason: string): void {
  const { options } = queue;
  takeOut(queue, entry);
  recordSkipped(options, entry.request, outcome, reason);
  void options.book.keep();
  entry.settle(Promise.resolve(undefined));
}

function endEarly(current: Current, early: EarlyEnd): void {
  if (current.ending.signal.aborted) return;
  current.early = early;
  current.ending.abort();
}

/** Whether the host has been free for long enough. Notes why not. */
async function isFree(queue: QueueParts): Promise<boolean> {
  const { idle, settleS } = queue.options;
  const busy = await idle.findBusy();
  const now = performance.now();
  queue.freeSinceMs = busy === undefined ? (queue.freeSinceMs ?? now) : undefined;
  const neededS = settleS * queue.caution;
  if (queue.freeSinceMs !== undefined && now - queue.freeSinceMs >= neededS * 1000) {
    queue.waitsFor = undefined;
    return true;
  }
  queue.waitsFor = busy ?? `the host has been free for less than ${neededS} s`;
  return false;
}

/** Finds the run that may begin now. Those that waited too long are given up. */
async function choose(queue: QueueParts): Promise<Entry | undefined> {
  const nowUs = queue.options.nowMs() * 1000;
  for (const entry of [...queue.waiting]) {
    if (entry.request.expires_us >= nowUs) continue;
    skip(queue, entry, "refused", queue.waitsFor ?? "it had waited for too long behind others");
  }
  const atOnce = queue.waiting.find(({ request }) => !request.needs_idle);
  if (atOnce !== undefined) return atOnce;
  if (queue.waiting.length === 0) {
    queue.waitsFor = undefined;
    queue.freeSinceMs = undefined;
    return undefined;
  }
  const first = queue.waiting[0];
  const free = await isFree(queue);
  // Meanwhile it may have been called off.
  return free && queue.waiting.includes(first) ? first : undefined;
}

/** What is left of a run that gave way, as a run of its own. */
function continueRun(
  { options }: QueueParts,
  { request }: Current,
  { run, suite, completed, failures, total }: Run,
  measured: readonly string[],
): RunRequest | undefined {
  if (completed + failures.length >= total) return undefined;
  const done = [...(request.done ?? []), ...measured, ...failures.map(({ name }) => name)];
  return { ...request, suite, run: createRunId(options.nowMs()), continues: request.continues ?? run, done };
}

/** Lets a run give way as soon as the host has work of its own, if it is one that does. Returns what ends that. */
function watchHost({ options }: QueueParts, current: Current): () => void {
  if (!current.request.needs_idle) return () => {};
  return options.idle.onBusy((reason) => {
    options.logger.info({ event: "run_gives_way", run: current.request.run }, reason);
    endEarly(current, { state: "yielded", reason });
  });
}

function openPage({ options }: QueueParts, request: RunRequest): CurrentRun {
  const us = Math.round(options.nowMs() * 1000);
  const fingerprint = options.bench.readFingerprint();
  return { request, started_us: us, seen_us: us, hw_class: options.findHardwareClass(), total: 0, completed: 0, fingerprint };
}

/** Runs a suite to its end. What it is at is kept, so that the next process can record it if this one dies. */
async function serve(queue: QueueParts, entry: Entry): Promise<void> {
  const { options } = queue;
  const { book, bench, host, delivery, gate, logger } = options;
  const { request } = entry;
  let page: CurrentRun;
  try {
    page = openPage(queue, request);
  } catch (thrown) {
    skip(queue, entry, "refused", `the host can't be described: ${errorMessage(thrown)}`);
    return;
  }
  takeOut(queue, entry);
  book.pages.current = page;
  await book.keep();
  const current: Current = { request, ending: new AbortController(), early: undefined };
  queue.current = current;
  if (queue.isStopped) endEarly(current, stopped);
  options.onActive(true);
  const stopWatching = watchHost(queue, current);
  const tooLong = setTimeout(
    () => endEarly(current, { state: "interrupted", reason: `it took longer than ${options.longestRunS} s` }),
    toTimerMs(options.longestRunS),
  );
  const measured: string[] = [];
  const suiteRun = startSuiteRun({
    request,
    host,
    hardwareClass: page.hw_class,
    everyS: options.findEvery(request.suite),
    signal: current.ending.signal,
    findEarlyEnd: () => current.early,
    onStep: (completed, total) => {
      Object.assign(page, { completed, total, seen_us: Math.round(options.nowMs() * 1000) });
      void book.keep();
    },
    onMeasured: (name) => measured.push(name),
    runSuite: (given) => bench.runSuite(given),
    delivery,
    gate,
    logger,
  });
  entry.settle(suiteRun.delivered);
  const run = await suiteRun.recorded;
  clearTimeout(tooLong);
  stopWatching();
  queue.current = undefined;
  queue.freeSinceMs = undefined;
  queue.caution = run?.state === "yielded" ? afterYield : 1;
  options.onActive(false);
  await conclude(queue, current, run, measured);
}

/** Closes the page of a run, once what it gave is on the disk; what is left of one that gave way waits again. */
async function conclude(queue: QueueParts, current: Current, run: Run | undefined, measured: readonly string[]): Promise<void> {
  const { book, delivery } = queue.options;
  const { request } = current;
  if (run === undefined) {
    recordSkipped(queue.options, request, "refused", "the suite could not be run; the agent's log says why");
  }
  await waitAtMost(delivery.flush(), flushPatienceS);
  book.pages.current = null;
  if (run?.state === "finished") book.pages.measured[request.suite] = queue.options.nowMs();
  const left = run?.state === "yielded" ? continueRun(queue, current, run, measured) : undefined;
  if (left !== undefined) add(queue, left).catch(() => {});
  await book.keep();
}

function add(queue: QueueParts, request: RunRequest): Promise<RunOutcome | undefined> {
  const { pages } = queue.options.book;
  if (!pages.waiting.some(({ run }) => run === request.run)) pages.waiting.push(request);
  return new Promise((resolve) => {
    queue.waiting.push({ request, settle: resolve });
    queue.wake();
  });
}

/** Records the run that a process before this one was at when it died. It is not begun again. */
function recordCutShort({ options }: QueueParts): void {
  const { book, delivery, host, logger } = options;
  const { current } = book.pages;
  if (current === null) return;
  const { request, started_us, seen_us, hw_class, total, completed, fingerprint } = current;
  const run: Run = {
    run: request.run,
    suite: request.suite,
    host,
    hw_class,
    state: "interrupted",
    started_us,
    time_us: delivery.clock.stamp(),
    duration: Math.max(0, (seen_us - started_us) / 1e6),
    total,
    completed,
    failures: [],
    fingerprint,
    ...describeLife(request),
    reason: "the agent ended in the midst of it",
  };
  void delivery.recordResult(runRecord.toPoint(run));
  logger.warn({ event: "run_cut_short", run: run.run, suite: run.suite }, run.reason);
  book.pages.current = null;
}

async function work(queue: QueueParts): Promise<void> {
  const { options } = queue;
  await options.ready;
  const pause = createPause();
  let isWoken = false;
  queue.wake = () => {
    isWoken = true;
    pause.end();
  };
  while (!queue.isStopped) {
    isWoken = false;
    try {
      const entry = await choose(queue);
      if (entry !== undefined && !queue.isStopped) await serve(queue, entry);
      else if (!isWoken && !queue.isStopped) await pause.wait(queue.waiting.length > 0 ? lookEveryS : idleWaitS);
    } catch (thrown) {
      options.logger.error({ event: "run_queue_failed", err: thrown }, errorMessage(thrown));
      await pause.wait(lookEveryS);
    }
  }
}

/** Takes up what the process before left in the book, and serves what is asked for from now on. */
export function startRunQueue(options: RunQueueOptions): RunQueue {
  const queue: QueueParts = {
    options,
    waiting: [],
    current: undefined,
    isStopped: false,
    waitsFor: undefined,
    freeSinceMs: undefined,
    caution: 1,
    wake: () => {},
  };
  recordCutShort(queue);
  // What was to run when an agent started is asked for anew by the one that starts now, or is not wanted any more.
  options.book.pages.waiting = options.book.pages.waiting.filter(({ trigger }) => trigger !== "start");
  for (const request of options.book.pages.waiting) add(queue, request).catch(() => {});
  const working = work(queue);
  return {
    add: (request) => add(queue, request),
    cancel: (isWanted, reason) => {
      const called = queue.waiting.filter(({ request }) => isWanted(request));
      for (const entry of called) skip(queue, entry, "cancelled", reason);
      const { current } = queue;
      if (current === undefined || !isWanted(current.request)) return called.length;
      endEarly(current, { state: "interrupted", reason });
      return called.length + 1;
    },
    read: () => ({
      current: queue.current?.request,
      waiting: queue.waiting.map(({ request }) => request),
      waitsFor: queue.waitsFor,
    }),
    stop: once(async () => {
      queue.isStopped = true;
      if (queue.current !== undefined) endEarly(queue.current, stopped);
      queue.wake();
      await working;
      for (const { settle } of queue.waiting) settle(Promise.resolve(undefined));
    }),
  };
}
