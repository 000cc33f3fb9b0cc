import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import type { Fate } from "../spool/encoded-batch.js";
import { openSpool, type Spool } from "../spool/spool.js";
import { type Clock, type ClockReading, createClock, readHostClocks } from "../time/clock.js";
import { addCount, createCounts, type DeliveryCounts } from "./counts.js";
import type { Link, RunProgress } from "./link.js";
import { createRecorder } from "./recorder.js";
import { createFeed, type Feed } from "./send-queue.js";
import { createSender, type OwnSender, type Sender } from "./send-window.js";

export interface DeliveryOptions {
  readonly host: string;
  readonly spool: {
    readonly dir: string;
    readonly maxBytes: number;
    /** Seconds. */
    readonly maxAge: number;
    /** Bytes of the backlog per second. */
    readonly resendRate: number;
  };
  /** Seconds. */
  readonly flushInterval: number;
  readonly logger: Logger;
  readonly readClocks?: () => ClockReading;
}

/** The way from points to the collector: recorder, spool and, once it is open, a link. */
export interface Delivery {
  readonly counts: DeliveryCounts;
  readonly spool: Pick<Spool, "batches" | "bytes" | "samples" | "limitBytes" | "oldestPutMs">;
  /** Gives the times of all that is recorded. */
  readonly clock: Clock;
  record(points: readonly Point[]): void;
  /** Sends a point at once and apart. The promise tells what became of it by the time this process ends. */
  recordResult(point: Point): Promise<Fate>;
  report(progress: RunProgress): void;
  open(openLink: (sender: Sender, counts: DeliveryCounts) => Link): void;
  /**
   * Flushes, waits until all is acknowledged or the time is up, and closes the link and the spool. Returns the samples that are
   * not acknowledged: they are in the spool, and the next process sends them.
   */
  close(seconds: number): Promise<{ unacked: number }>;
}

/**
 * Opens the spool and what leads to and from it.
 * @throws FleetmarkError SPOOL_LOCKED, SPOOL_UNWRITABLE, DATA_NEWER
 */
export async function createDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { host, flushInterval, logger, readClocks = readHostClocks } = options;
  const { dir, maxBytes, maxAge, resendRate } = options.spool;
  const readWallMs = (): number => Math.max(0, Math.floor(readClocks().wallUs / 1000));
  const counts = createCounts();
  const fates = new Map<number, (fate: Fate) => void>();
  let feed: Feed | undefined;
  let sender: OwnSender | undefined;
  let link: Link | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ownEpochUs = 0;
  let onGone = (): void => {};
  let closed = false;

  const spool = await openSpool({
    ...{ host, dir, maxBytes, maxAge, logger, counts, wallMs: readWallMs() },
    onReady: (entries) => feed?.offer(entries),
    onReadable: () => feed?.resume(),
    onGone(batch, fate) {
      sender?.forget(batch);
      if (fate === "committed") counts.acked += batch.samples;
      else addCount(counts.dropped, fate, batch.samples);
      if (batch.epochUs === ownEpochUs) {
        fates.get(batch.sequence)?.(fate);
        fates.delete(batch.sequence);
      }
      onGone();
    },
  });
  ownEpochUs = spool.epochUs;
  feed = createFeed({ spool, rate: resendRate, now: () => performance.now(), onMore: () => link?.wake() });
  const ownSender = createSender(spool, feed, counts, logger);
  sender = ownSender;
  const clock = createClock({
    read: readClocks,
    before: spool.clockBefore,
    onStep: (stepUs, answer) => logger.warn({ event: "clock_stepped", step_s: stepUs / 1e6, answer }),
  });
  const recorder = createRecorder(host, ownEpochUs, counts, (parcel) => spool.put(parcel, clock.state, readWallMs()));

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    recorder.flush();
  };

  const waitUntilEmpty = (seconds: number): Promise<void> =>
    new Promise((resolve) => {
      const patience = setTimeout(resolve, seconds * 1000);
      onGone = () => {
        if (spool.batches > 0) return;
        clearTimeout(patience);
        resolve();
      };
      onGone();
    });

  return {
    counts,
    spool,
    clock,
    record(points) {
      if (closed) return;
      recorder.record(points);
      if (recorder.pending > 0) timer ??= setTimeout(flush, flushInterval * 1000);
    },
    recordResult(point) {
      if (closed) return Promise.resolve("COLLECTOR_UNREACHABLE");
      const sequence = recorder.recordResult(point);
      // What the recorder gave up it has counted.
      if (sequence === undefined) return Promise.resolve("dropped");
      return new Promise((resolve) => fates.set(sequence, resolve));
    },
    report: (progress) => link?.report(progress),
    open(openLink) {
      link = openLink(ownSender, counts);
    },
    async close(seconds) {
      flush();
      closed = true;
      if (link !== undefined) await waitUntilEmpty(seconds);
      await link?.close();
      feed?.close();
      const { samples } = await spool.close();
      for (const resolve of fates.values()) resolve("COLLECTOR_UNREACHABLE");
      return { unacked: samples };
    },
  };
}
