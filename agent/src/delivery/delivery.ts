import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { HostProgress } from "@fleetmark/shared/model/progress";
import type { Point } from "@fleetmark/shared/model/series";
import type { EncodedBatch, Fate } from "../batch/encoded-batch.js";
import type { Entry, EntryFacts } from "../batch/entry.js";
import { type Identity, keepIdentity, openIdentity, readMachine } from "../host/identity.js";
import { openSpool, type Spool } from "../spool/spool.js";
import { type Clock, type ClockReading, createClock, readHostClocks } from "../time/clock.js";
import { createCounts, type DeliveryCounts } from "./counts.js";
import type { Link } from "./link.js";
import {
  countPending,
  createRecorder,
  flushRecorder,
  type Recorder,
  recordAlone,
  recordPoints,
  renumberBatch,
} from "./recorder.js";
import { createSendQueue, type SendQueue } from "./send-queue.js";
import { createSendWindow, type OwnSendWindow, type SendWindow } from "./send-window.js";

/**
 * The way from points to the collector. Each part knows only those before it in the line; what happens is told
 * upwards, by the spool and the queue to the one listener that the delivery gives them once all is built
 * (`listenToParts`).
 *
 *   points ──► recorder ──► spool ──► send queue ──► send window ──► link ──► collector
 *                             ▲   release                │  acknowledge   │
 *                             └──────────────────────────┴────────────────┘
 */

export interface DeliveryOptions {
  readonly host: string;
  /** Whether it has an identity of its own beneath the host's name: an agent has, its guests have none, the default. */
  readonly hasIdentity?: boolean;
  readonly spool: {
    readonly dir: string;
    readonly maxBytes: number;
    /** Seconds. */
    readonly maxAge: number;
    /** Bytes of the backlog per second. */
    readonly resendRate: number;
    /** Microseconds that the epoch is put off by, so that processes which begin together differ; default 0. */
    readonly epochOffsetUs?: number;
  };
  /** Seconds. */
  readonly flushInterval: number;
  readonly logger: Logger;
  readonly readClocks?: () => ClockReading;
}

/** Recorder, spool and, once it is attached, a link. */
export interface Delivery {
  readonly counts: DeliveryCounts;
  readonly identity: Pick<Identity, "id" | "machine">;
  readonly spool: Pick<Spool, "batches" | "bytes" | "samples" | "limitBytes" | "oldestPutMs">;
  /** Gives the times of all that is recorded. */
  readonly clock: Clock;
  record(points: readonly Point[]): void;
  /** Sends a point at once and apart. The promise tells what became of it by the time this process ends. */
  recordResult(point: Point): Promise<Fate>;
  report(progress: HostProgress): void;
  /** Resolves when all that was recorded before is on the disk, or the disk can't take it. */
  flush(): Promise<void>;
  /** Starts the link that carries all this from now on. */
  attach(startLink: (window: SendWindow, counts: DeliveryCounts) => Link): void;
  /**
   * Flushes, waits until all is acknowledged or the time is up, stops the link and closes the spool. Returns the
   * samples that are not acknowledged: they are in the spool, and the next process sends them.
   */
  stop(seconds: number): Promise<{ unacked: number }>;
}

interface DeliveryState {
  readonly options: DeliveryOptions;
  readonly identity: Pick<Identity, "id" | "machine">;
  /** Of this process's batches: more than one where a collector knew others under the first. */
  readonly epochs: Set<number>;
  readonly counts: DeliveryCounts;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly spool: Spool;
  readonly queue: SendQueue;
  readonly window: OwnSendWindow;
  link: Link | undefined;
  /** Who waits for the fates of this process's batches, by sequence. */
  readonly fates: Map<number, (fate: Fate) => void>;
  /** Who waits until the spool is empty. */
  onEmpty: () => void;
  timer: NodeJS.Timeout | undefined;
  stopped: boolean;
}

/** A batch has left the spool: nobody sends it any more, and who waits for its fate is told. */
function noticeGone(delivery: DeliveryState, batch: EntryFacts, fate: Fate): void {
  const { window, counts, spool, fates, epochs } = delivery;
  window.forget(batch);
  if (fate === "committed") counts.acked += batch.samples;
  if (epochs.has(batch.epochUs)) {
    fates.get(batch.sequence)?.(fate);
    fates.delete(batch.sequence);
  }
  if (spool.batches === 0) delivery.onEmpty();
}

/**
 * Gives a batch another name, under which it is sent again: a collector has another batch under the one that it has. So
 * it is where a machine was cloned while it ran, or set back to a snapshot. What is cut from now on has a new epoch.
 */
function renumber(delivery: DeliveryState, entry: Entry): void {
  const { recorder, spool, epochs, fates, options } = delivery;
  const { logger, readClocks = readHostClocks } = options;
  const { epochUs, sequence, host } = entry.id;
  try {
    // What was measured under another name has no place in this epoch.
    if (host !== options.host) throw new FleetmarkError("BATCH_ID_REUSED", `a batch of host ${host} can't be given another name`);
    if (epochUs === recorder.epochUs) {
      recorder.epochUs = spool.renewEpoch(Math.max(0, Math.floor(readClocks().wallUs / 1000)));
      epochs.add(recorder.epochUs);
    }
    const id = renumberBatch(recorder, entry);
    const waiting = epochs.has(epochUs) ? fates.get(sequence) : undefined;
    if (waiting !== undefined) {
      fates.set(id.sequence, waiting);
      fates.delete(sequence);
    }
    spool.release(entry, "renumbered");
    logger.warn({ event: "batches_renumbered", code: "BATCH_ID_REUSED", sequence, samples: entry.samples });
  } catch (thrown) {
    spool.release(entry, thrown instanceof FleetmarkError ? thrown.code : "INTERNAL");
  }
}

/** Opens who the agent is, beside its spool. */
async function openOwnIdentity({ hasIdentity, spool, logger }: DeliveryOptions): Promise<DeliveryState["identity"]> {
  if (!hasIdentity) return { id: "", machine: "" };
  const identity = await openIdentity(spool.dir, await readMachine());
  if (identity.isCloned) logger.warn({ event: "identity_cloned", dir: spool.dir });
  return identity;
}

function listenToParts(delivery: DeliveryState): void {
  const { spool, queue, identity, options } = delivery;
  queue.listen(() => delivery.link?.wake());
  spool.listen({
    onReady: queue.offer,
    onReadable: queue.resume,
    onGone: (batch, fate) => noticeGone(delivery, batch, fate),
    onMoved: () => {
      if (identity.id !== "") void keepIdentity(options.spool.dir, identity);
    },
  });
}

async function buildState(options: DeliveryOptions): Promise<DeliveryState> {
  const { host, logger, readClocks = readHostClocks } = options;
  const { dir, maxBytes, maxAge, resendRate, epochOffsetUs = 0 } = options.spool;
  const readWallMs = (): number => Math.max(0, Math.floor(readClocks().wallUs / 1000));
  const counts = createCounts();
  const spool = await openSpool({ host, dir, maxBytes, maxAge, logger, losses: counts, wallMs: readWallMs(), epochOffsetUs });
  const identity = await openOwnIdentity(options);
  const queue = createSendQueue({ spool, rate: resendRate, now: () => performance.now() });
  const window = createSendWindow({ spool, queue, counts, logger, renumber: (entry) => renumber(delivery, entry) });
  const clock = createClock({
    read: readClocks,
    before: spool.clockBefore,
    onStep: (stepUs, answer) => logger.warn({ event: "clock_stepped", step_s: stepUs / 1e6, answer }),
  });
  const put = (batch: EncodedBatch): void => spool.put(batch, clock.state, readWallMs());
  const recorder = createRecorder({ host, identity: identity.id, epochUs: spool.epochUs, counts, put });
  const delivery: DeliveryState = {
    options,
    identity,
    epochs: new Set([spool.epochUs]),
    counts,
    clock,
    recorder,
    spool,
    queue,
    window,
    link: undefined,
    fates: new Map(),
    onEmpty: () => {},
    timer: undefined,
    stopped: false,
  };
  return delivery;
}

function flush(delivery: DeliveryState): void {
  clearTimeout(delivery.timer);
  delivery.timer = undefined;
  flushRecorder(delivery.recorder);
}

function record(delivery: DeliveryState, points: readonly Point[]): void {
  const { recorder, options } = delivery;
  if (delivery.stopped) return;
  recordPoints(recorder, points);
  if (countPending(recorder) > 0) delivery.timer ??= setTimeout(() => flush(delivery), options.flushInterval * 1000);
}

function recordResult({ stopped, recorder, fates }: DeliveryState, point: Point): Promise<Fate> {
  if (stopped) return Promise.resolve("COLLECTOR_UNREACHABLE");
  const sequence = recordAlone(recorder, point);
  // What the recorder gave up it has counted.
  if (sequence === undefined) return Promise.resolve("dropped");
  return new Promise((resolve) => {
    fates.set(sequence, resolve);
  });
}

function waitUntilEmpty(delivery: DeliveryState, seconds: number): Promise<void> {
  if (delivery.spool.batches === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const patience = setTimeout(resolve, seconds * 1000);
    delivery.onEmpty = () => {
      clearTimeout(patience);
      resolve();
    };
  });
}

async function stopDelivery(delivery: DeliveryState, seconds: number): Promise<{ unacked: number }> {
  const { link, queue, spool, fates } = delivery;
  flush(delivery);
  delivery.stopped = true;
  if (link !== undefined) await waitUntilEmpty(delivery, seconds);
  await link?.stop();
  queue.stop();
  const { samples } = await spool.close();
  for (const resolve of fates.values()) resolve("COLLECTOR_UNREACHABLE");
  return { unacked: samples };
}

/**
 * Opens the spool and builds what leads to and from it.
 * @throws FleetmarkError SPOOL_LOCKED, SPOOL_UNWRITABLE, DATA_NEWER
 */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const delivery = await buildState(options);
  listenToParts(delivery);
  const { counts, spool, clock, window } = delivery;
  let stopping: Promise<{ unacked: number }> | undefined;
  return {
    counts,
    identity: delivery.identity,
    spool,
    clock,
    record: (points) => record(delivery, points),
    recordResult: (point) => recordResult(delivery, point),
    report: (progress) => delivery.link?.report(progress),
    flush: () => {
      flush(delivery);
      return spool.flush();
    },
    attach: (startLink) => {
      delivery.link = startLink(window, counts);
    },
    stop: (seconds) => {
      stopping ??= stopDelivery(delivery, seconds);
      return stopping;
    },
  };
}
