import { nameBatch } from "@fleetmark/shared/model/batch";
import { type Priority, priorities } from "../batch/encoded-batch.js";
import { comparePositions, type Entry, origin, type Position } from "../batch/entry.js";
import type { Spool } from "../spool/spool.js";

/**
 * The send queue decides what is sent next. It has two lanes that take turns, so that neither waits for the end of
 * the other:
 *
 *   offered by the spool ──► fresh ────────────────────────┐
 *                              │ too many: what is on the  ├──► next
 *                              ▼ disk becomes backlog      │
 *   on the disk, up to ──► backlog: read ahead in order, ──┘
 *   the mark               results first, at a bounded rate
 *
 * What is new goes at once. What had been waiting before the stream began, or had to wait because the stream was
 * slow, is the backlog; its rate is bounded so that a fleet that returns does not flood its collector. The mark is
 * the last batch of the backlog; a cursor a priority tells how far it was read. A new stream begins with empty lanes,
 * the mark at the end of the disk and the cursors before it.
 */

/** What waits in memory to be sent: of the fresh as much as a window takes, of the backlog what is read ahead. */
export const queueLimits = { freshBytes: 2 ** 20, freshBatches: 256, aheadBytes: 2 ** 18, aheadBatches: 64 } as const;

/** Milliseconds until a disk that did not answer is asked again. */
const retryMs = 1000;

/** Bytes: fewer are not worth a look at the disk. */
const leastRead = 16_384;

export interface SendQueueOptions {
  readonly spool: Pick<Spool, "read" | "listHeld" | "isHeld" | "lastKept">;
  /** Bytes of the backlog per second. */
  readonly rate: number;
  /** Milliseconds, never stepping. */
  now(): number;
}

export interface SendQueue {
  /** A new stream begins: all that waits is due again. */
  restart(): void;
  /** Takes what has become fit to be sent, in order. */
  offer(entries: readonly Entry[]): void;
  /** Gives the next entry, if there is one at hand and it is accepted. */
  takeNext(accept: (entry: Entry) => boolean): Entry | undefined;
  forget(position: Position): void;
  /** Reads on where reading had stopped. */
  resume(): void;
  /** Tells a listener, the only one, from now on when there is more to take. */
  listen(onMore: () => void): void;
  stop(): void;
}

interface QueueState {
  readonly options: SendQueueOptions;
  onMore: () => void;
  fresh: Entry[];
  backlog: Entry[];
  /** Counts streams, none at first: what was read for an earlier one is of no use. */
  stream: number;
  stopped: boolean;
  mark: Position;
  /** Where reading goes on. Undefined: nothing is left of a priority. */
  cursors: Record<Priority, Position | undefined>;
  reading: boolean;
  /** Names of batches that left while the disk was read: what is read may hold them still. */
  readonly leftMeanwhile: Set<string>;
  timer: NodeJS.Timeout | undefined;
  isFreshTurn: boolean;
  /** Bytes that may be read now; below zero after a batch that was larger. At most those of one second. */
  tokens: number;
  refilledAt: number;
}

function sumBytes(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function refillTokens(queue: QueueState): void {
  const { rate, now } = queue.options;
  const time = now();
  queue.tokens = Math.min(rate, queue.tokens + (rate * (time - queue.refilledAt)) / 1000);
  queue.refilledAt = time;
}

/** Returns whether the disk answered. */
async function readChunk(queue: QueueState, priority: Priority, cursor: Position): Promise<boolean> {
  const { stream, mark: upTo } = queue;
  const chunk = await queue.options.spool.read(priority, cursor, upTo, Math.min(queue.tokens, queueLimits.aheadBytes));
  if (queue.stopped || stream !== queue.stream) return true;
  if (chunk === undefined) return false;
  // Meanwhile the mark may have moved on, and then there is more.
  queue.cursors[priority] = chunk.next ?? (comparePositions(queue.mark, upTo) > 0 ? upTo : undefined);
  const known = new Set(queue.fresh.map(({ id }) => nameBatch(id)));
  const found = chunk.entries.filter(({ id }) => !known.has(nameBatch(id)) && !queue.leftMeanwhile.has(nameBatch(id)));
  queue.tokens -= sumBytes(found);
  queue.backlog.push(...found);
  if (found.length > 0) queue.onMore();
  return true;
}

function readLater(queue: QueueState, ms: number): void {
  clearTimeout(queue.timer);
  queue.timer = setTimeout(() => readAhead(queue), ms);
  queue.timer.unref();
}

/** Reads some of the backlog, where there is any, room for it, and as much as the rate allows now. */
function readAhead(queue: QueueState): void {
  const { backlog, options, cursors } = queue;
  if (queue.stream === 0 || queue.stopped || queue.reading) return;
  if (backlog.length >= queueLimits.aheadBatches / 2 || sumBytes(backlog) >= queueLimits.aheadBytes / 2) return;
  const priority = priorities.find((each) => cursors[each] !== undefined);
  const cursor = priority === undefined ? undefined : cursors[priority];
  if (priority === undefined || cursor === undefined) return;
  refillTokens(queue);
  const least = Math.min(options.rate / 10, leastRead);
  if (queue.tokens < least) {
    readLater(queue, Math.ceil(((least - queue.tokens) / options.rate) * 1000));
    return;
  }
  queue.reading = true;
  const finish = (answered: boolean): void => {
    queue.reading = false;
    queue.leftMeanwhile.clear();
    if (answered) readAhead(queue);
    else readLater(queue, retryMs);
  };
  readChunk(queue, priority, cursor).then(finish, () => finish(false));
}

/** Gives memory back: what is on the disk becomes backlog. */
function spillFresh(queue: QueueState): void {
  const { spool } = queue.options;
  const kept = queue.fresh.filter((entry) => !spool.isHeld(entry));
  if (kept.length === 0) return;
  queue.fresh = queue.fresh.filter((entry) => spool.isHeld(entry));
  for (const { priority } of kept) queue.cursors[priority] ??= queue.mark;
  for (const { id } of kept) if (comparePositions(id, queue.mark) > 0) queue.mark = id;
}

function restart(queue: QueueState): void {
  const { spool } = queue.options;
  queue.stream++;
  queue.backlog = [];
  queue.fresh = [...spool.listHeld()];
  queue.mark = spool.lastKept();
  queue.cursors = { result: origin, telemetry: origin };
  readAhead(queue);
}

function offer(queue: QueueState, entries: readonly Entry[]): void {
  if (queue.stream === 0) return;
  queue.fresh.push(...entries);
  if (queue.fresh.length > queueLimits.freshBatches || sumBytes(queue.fresh) > queueLimits.freshBytes) {
    spillFresh(queue);
    readAhead(queue);
  }
  queue.onMore();
}

function takeNext(queue: QueueState, accept: (entry: Entry) => boolean): Entry | undefined {
  const { fresh, backlog } = queue;
  const lane = (queue.isFreshTurn && fresh.length > 0) || backlog.length === 0 ? fresh : backlog;
  const entry = lane[0];
  if (entry === undefined) {
    readAhead(queue);
    return undefined;
  }
  if (!accept(entry)) return undefined;
  lane.shift();
  queue.isFreshTurn = lane === backlog;
  readAhead(queue);
  return entry;
}

function forget(queue: QueueState, position: Position): void {
  if (queue.reading) queue.leftMeanwhile.add(nameBatch(position));
  const isOther = ({ id }: Entry): boolean => comparePositions(id, position) !== 0;
  queue.fresh = queue.fresh.filter(isOther);
  queue.backlog = queue.backlog.filter(isOther);
}

export function createSendQueue(options: SendQueueOptions): SendQueue {
  const queue: QueueState = {
    options,
    onMore: () => {},
    fresh: [],
    backlog: [],
    stream: 0,
    stopped: false,
    mark: origin,
    cursors: { result: undefined, telemetry: undefined },
    reading: false,
    leftMeanwhile: new Set(),
    timer: undefined,
    isFreshTurn: true,
    tokens: options.rate,
    refilledAt: options.now(),
  };
  return {
    restart: () => restart(queue),
    offer: (entries) => offer(queue, entries),
    takeNext: (accept) => takeNext(queue, accept),
    forget: (position) => forget(queue, position),
    resume: () => readAhead(queue),
    listen: (onMore) => {
      queue.onMore = onMore;
    },
    stop: () => {
      queue.stopped = true;
      clearTimeout(queue.timer);
    },
  };
}
