import type { Point } from "@fleetmark/shared/series";
import type { Logger } from "pino";
import { addCount, createCounts, type DeliveryCounts } from "./counts.js";
import type { Link, RunProgress } from "./link.js";
import { createOutbox, type Outbox } from "./outbox.js";
import type { Fate } from "./parcel.js";
import { createRecorder } from "./recorder.js";
import { createSender, type Sender } from "./sender.js";

export interface DeliveryOptions {
  readonly host: string;
  readonly maxBytes: number;
  /** Seconds. */
  readonly flushInterval: number;
  readonly logger: Logger;
}

/** The way from points to the collector: recorder, outbox and, once it is open, a link. */
export interface Delivery {
  readonly counts: DeliveryCounts;
  readonly outbox: Outbox;
  record(points: readonly Point[]): void;
  /** Sends a point at once and apart. The promise tells what became of it. */
  recordResult(point: Point): Promise<Fate>;
  report(progress: RunProgress): void;
  open(openLink: (sender: Sender, counts: DeliveryCounts) => Link): void;
  /** Flushes, waits until all is acknowledged or the time is up, and closes the link. Returns the samples left. */
  close(seconds: number): Promise<{ unacked: number }>;
}

/** When this agent began, microseconds since the Unix epoch; two agents of one process differ. */
function readEpoch(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}

export async function createDelivery({ host, maxBytes, flushInterval, logger }: DeliveryOptions): Promise<Delivery> {
  const epochUs = readEpoch();
  const counts = createCounts();
  const waiting = new Map<number, (fate: Fate) => void>();
  let link: Link | undefined;
  let timer: NodeJS.Timeout | undefined;
  let onEmpty = (): void => {};
  let closed = false;

  const outbox = createOutbox(maxBytes, (parcel, fate) => {
    if (fate === "committed") counts.acked += parcel.samples;
    else addCount(counts.dropped, fate, parcel.samples);
    waiting.get(parcel.id.sequence)?.(fate);
    waiting.delete(parcel.id.sequence);
    if (outbox.batches === 0) onEmpty();
  });
  const sender = createSender(host, epochUs, outbox, counts, logger);
  const recorder = createRecorder(host, epochUs, counts, (parcel) => {
    outbox.put(parcel);
    link?.wake();
  });

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    recorder.flush();
  };

  return {
    counts,
    outbox,
    record(points) {
      if (closed) return;
      recorder.record(points);
      if (recorder.pending > 0) timer ??= setTimeout(flush, flushInterval * 1000);
    },
    recordResult(point) {
      if (closed) return Promise.resolve("COLLECTOR_UNREACHABLE");
      const sequence = recorder.recordResult(point);
      return new Promise((resolve) => {
        // The recorder or the outbox may have given it up already, and counted why.
        if (sequence === undefined || outbox.peek(sequence - 1)?.id.sequence !== sequence) resolve("dropped");
        else waiting.set(sequence, resolve);
      });
    },
    report: (progress) => link?.report(progress),
    open(openLink) {
      link = openLink(sender, counts);
    },
    async close(seconds) {
      flush();
      closed = true;
      if (outbox.batches > 0 && link !== undefined) {
        await new Promise<void>((resolve) => {
          const patience = setTimeout(resolve, seconds * 1000);
          onEmpty = () => {
            clearTimeout(patience);
            resolve();
          };
        });
      }
      await link?.close();
      const dropped = [...counts.dropped.values()].reduce((sum, samples) => sum + samples, 0);
      for (const resolve of waiting.values()) resolve("COLLECTOR_UNREACHABLE");
      return { unacked: counts.recorded - counts.acked - dropped };
    },
  };
}
