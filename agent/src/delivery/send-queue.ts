import type { Priority } from "../spool/encoded-batch.js";
import { comparePositions, type Entry, origin, type Position } from "../spool/entry.js";

/** What waits in memory to be sent: of the fresh as much as a window takes, of the backlog what is read ahead. */
export const feedLimits = { freshBytes: 2 ** 20, freshBatches: 256, aheadBytes: 2 ** 18, aheadBatches: 64 } as const;

/** Milliseconds until a disk that did not answer is asked again. */
const retryMs = 1000;

/** Some of the backlog, in order. */
export interface Chunk {
  readonly entries: readonly Entry[];
  /** Where the next chunk begins; undefined when there is none, as of now. */
  readonly next: Position | undefined;
}

/** What the feed asks of the spool. */
export interface FeedSpool {
  /** Reads batches of a priority after one position and not after another; undefined while the disk can't be read. */
  read(priority: Priority, after: Position, upTo: Position, bytes: number): Promise<Chunk | undefined>;
  /** What could not be put on the disk and waits in memory. */
  listHeld(): readonly Entry[];
  isHeld(entry: Entry): boolean;
  /** The last batch that is on the disk. */
  lastKept(): Position;
}

export interface FeedOptions {
  readonly spool: FeedSpool;
  /** Bytes of the backlog per second. */
  readonly rate: number;
  /** Milliseconds, never stepping. */
  now(): number;
  /** Told when there is more to take. */
  onMore(): void;
}

/**
 * Decides what is sent next. What is new goes at once. What had been waiting before the stream began, or had to wait because the
 * stream was slow, is the backlog: it is read from the disk in order, results first, at a bounded rate, so that a fleet that
 * returns does not flood its collector. Where there is both they take turns, so that neither waits for the end of the other.
 */
export interface Feed {
  /** A new stream begins: all that waits is due again. */
  begin(): void;
  /** Takes what has become fit to be sent, in order. */
  offer(entries: readonly Entry[]): void;
  /** Gives the next entry, if there is one at hand and it is accepted. */
  take(accept: (entry: Entry) => boolean): Entry | undefined;
  forget(position: Position): void;
  /** Reads on where reading had stopped. */
  resume(): void;
  close(): void;
}

const priorities: readonly Priority[] = ["result", "telemetry"];

export function createFeed({ spool, rate, now, onMore }: FeedOptions): Feed {
  let fresh: Entry[] = [];
  let backlog: Entry[] = [];
  let begun = false;
  let closed = false;
  /** The backlog ends here, and is read up to these. Undefined: nothing is left of a priority. */
  let mark = origin;
  let cursors: Record<Priority, Position | undefined> = { result: undefined, telemetry: undefined };
  /** Counts streams: what was read for an earlier one is of no use. */
  let stream = 0;
  let reading = false;
  let timer: NodeJS.Timeout | undefined;
  let isFreshTurn = true;
  /** Bytes that may be read now; below zero after a batch that was larger. At most those of one second. */
  let tokens = rate;
  /** Fewer are not worth a look at the disk. */
  const least = Math.min(rate / 10, 16_384);
  let refilledAt = now();

  const sumBytes = (entries: readonly Entry[]): number => entries.reduce((sum, { bytes }) => sum + bytes.length, 0);

  const refill = (): void => {
    const time = now();
    tokens = Math.min(rate, tokens + (rate * (time - refilledAt)) / 1000);
    refilledAt = time;
  };

  const pullLater = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(pull, ms);
    timer.unref();
  };

  /** Returns whether the disk answered. */
  const readChunk = async (priority: Priority, cursor: Position): Promise<boolean> => {
    const current = stream;
    const upTo = mark;
    const chunk = await spool.read(priority, cursor, upTo, Math.min(tokens, feedLimits.aheadBytes));
    if (closed || current !== stream) return true;
    if (chunk === undefined) return false;
    // Meanwhile the mark may have moved on, and then there is more.
    cursors[priority] = chunk.next ?? (comparePositions(mark, upTo) > 0 ? upTo : undefined);
    const known = new Set(fresh.map(({ id }) => `${id.epochUs}/${id.sequence}`));
    const found = chunk.entries.filter(({ id }) => !known.has(`${id.epochUs}/${id.sequence}`));
    tokens -= sumBytes(found);
    backlog.push(...found);
    if (found.length > 0) onMore();
    return true;
  };

  function pull(): void {
    if (!begun || closed || reading) return;
    if (backlog.length >= feedLimits.aheadBatches / 2 || sumBytes(backlog) >= feedLimits.aheadBytes / 2) return;
    const priority = priorities.find((each) => cursors[each] !== undefined);
    if (priority === undefined) return;
    refill();
    if (tokens < least) {
      pullLater(Math.ceil(((least - tokens) / rate) * 1000));
      return;
    }
    reading = true;
    const finish = (answered: boolean): void => {
      reading = false;
      if (answered) pull();
      else pullLater(retryMs);
    };
    readChunk(priority, cursors[priority] as Position).then(finish, () => finish(false));
  }

  /** Gives memory back: what is on the disk becomes backlog. */
  const spill = (): void => {
    const kept = fresh.filter((entry) => !spool.isHeld(entry));
    if (kept.length === 0) return;
    fresh = fresh.filter((entry) => spool.isHeld(entry));
    for (const { priority } of kept) cursors[priority] ??= mark;
    for (const { id } of kept) if (comparePositions(id, mark) > 0) mark = id;
  };

  return {
    begin() {
      begun = true;
      stream++;
      backlog = [];
      fresh = [...spool.listHeld()];
      mark = spool.lastKept();
      cursors = { result: origin, telemetry: origin };
      pull();
    },
    offer(entries) {
      if (!begun) return;
      fresh.push(...entries);
      if (fresh.length > feedLimits.freshBatches || sumBytes(fresh) > feedLimits.freshBytes) {
        spill();
        pull();
      }
      onMore();
    },
    take(accept) {
      const queue = (isFreshTurn && fresh.length > 0) || backlog.length === 0 ? fresh : backlog;
      const entry = queue[0];
      if (entry === undefined) {
        pull();
        return undefined;
      }
      if (!accept(entry)) return undefined;
      queue.shift();
      isFreshTurn = queue === backlog;
      pull();
      return entry;
    },
    forget(position) {
      const isOther = ({ id }: Entry): boolean => comparePositions(id, position) !== 0;
      fresh = fresh.filter(isOther);
      backlog = backlog.filter(isOther);
    },
    resume: pull,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
