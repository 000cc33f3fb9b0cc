import { type ErrorCode, errorMessage, FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";
import type { Hello, Progress } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import type { BatchId } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { outlineBatch, type ReadDictionary } from "@fleetmark/shared/wire/batch-decoder";
import { decodeProgress } from "@fleetmark/shared/wire/progress";
import type { AgentHello, Fleet, HostState } from "../fleet/fleet.js";
import { readClockUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import { deriveRecords } from "./derive.js";
import { createDictionaryReader } from "./dictionaries.js";
import { buildAgentBatch, checkHello } from "./hello.js";
import { noticeIntroduction } from "./introduction.js";
import type { IngestLimits } from "./limits.js";
import type { Quarantine } from "./quarantine.js";
import type { SeriesGuard } from "./series-guard.js";
import { type RefusalCode, validateBatch } from "./validate.js";
import type { Writer } from "./writer.js";

/** What finally became of a batch; no resend changes it. */
export type Fate =
  | { readonly kind: "committed"; readonly id: BatchId; readonly refused: ReadonlyMap<RefusalCode, number> }
  /** In quarantine. The id is undefined where it can't be read. */
  | { readonly kind: "rejected"; readonly id: BatchId | undefined; readonly code: ErrorCode; readonly message: string };

/**
 * By which way something came, and the host that this way vouches for: by certificate, by subject, or by its word on
 * loopback.
 */
export interface Source {
  readonly link: "grpc" | "nats";
  readonly host: string;
}

/**
 * Where every link hands over what agents send. What it decides depends on the bytes and the source, never on the
 * link.
 */
export interface Intake {
  /**
   * Takes in how an agent introduces itself: its host is known from now on, and the introduction is stored.
   * @throws FleetmarkError PROTOCOL_MISMATCH, PROTOCOL_VIOLATION, SERIES_INVALID, BATCH_FOREIGN, HOSTS_TOO_MANY
   */
  takeHello(hello: Hello, source: Source): AgentHello;
  /**
   * Takes in an encoded batch. `onFate` is called once, when the store has committed it or the quarantine holds it;
   * never when neither comes to pass before the collector ends.
   */
  takeBatch(bytes: Uint8Array, source: Source, onFate: (fate: Fate) => void): void;
  /** @throws FleetmarkError PROTOCOL_VIOLATION, HOSTS_TOO_MANY */
  takeProgress(progress: Progress, source: Source): void;
  /**
   * Resolves at once while there is room, else when there is room again: until then a link is to hand over nothing
   * more.
   */
  waitForRoom(): Promise<void> | undefined;
}

export interface IntakeOptions {
  readonly limits: IngestLimits;
  readonly writer: Writer;
  readonly quarantine: Quarantine;
  readonly guard: SeriesGuard;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Names the next batch of the collector's own. */
  readonly nextOwnId: () => { readonly epochUs: number; readonly sequence: number };
}

interface IntakeState extends IntakeOptions {
  readonly readDictionary: ReadDictionary;
}

async function keepInQuarantine(intake: IntakeState, bytes: Uint8Array, code: ErrorCode, id: BatchId | undefined): Promise<void> {
  const { quarantine, metrics, logger } = intake;
  try {
    await quarantine.keep(bytes, code, id, readClockUs());
    metrics.quarantineBytes.set(quarantine.size());
  } catch (thrown) {
    metrics.quarantineFailures.inc();
    logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "a rejected batch could not be kept");
  }
}

function explainDefect(thrown: unknown, logger: Logger): FleetmarkError {
  return toFleetmarkError(thrown, "the collector failed on this batch; its log says more", (defect) =>
    logger.error({ event: "batch_failed", err: defect }, "the collector failed on a batch"),
  );
}

function countRefused({ metrics, logger }: IntakeState, refused: ReadonlyMap<RefusalCode, number>, host: HostState): void {
  for (const [code, samples] of refused) {
    metrics.samplesRefused.inc({ code }, samples);
    host.counters.samples_refused += samples;
    logger.warn({ event: "samples_refused", host: host.host, code, samples }, "samples were refused");
  }
}

/** A batch on its way in. The id is undefined until it is read. */
interface Incoming {
  id: BatchId | undefined;
  readonly bytes: Uint8Array;
  readonly source: Source;
}

async function rejectBatch(intake: IntakeState, { id, bytes, source }: Incoming, error: FleetmarkError): Promise<Fate> {
  const { code, message } = error;
  const { host, link } = source;
  intake.metrics.batchesRejected.inc({ code });
  const state = intake.fleet.get(host);
  if (state !== undefined) state.counters.batches_rejected++;
  intake.logger.warn({ event: "batch_rejected", host, link, code, error: message }, "a batch was rejected");
  await keepInQuarantine(intake, bytes, code, id);
  return { kind: "rejected", id, code, message };
}

/** Validates a batch and queues what of it is to be stored. */
function storeBatch(intake: IntakeState, incoming: Incoming, onFate: (fate: Fate) => void): void {
  const { limits, fleet, guard, writer, readDictionary } = intake;
  const { bytes, source } = incoming;
  const nowUs = readClockUs();
  const outline = outlineBatch(bytes);
  incoming.id = outline.id;
  const host = fleet.touch(source.host, nowUs);
  host.counters.batches_received++;
  const judgeSeries = (series: readonly Series[]) => guard.judge(host, series, nowUs);
  const { batch, refused, records } = validateBatch(bytes, outline, source.host, { limits, readDictionary, nowUs, judgeSeries });
  // What follows from its records is committed with it: it is acknowledged once all of it is.
  const derived = deriveRecords(batch, records);
  countRefused(intake, refused, host);
  noticeIntroduction(host, batch);
  const onCommitted = (): void => onFate({ kind: "committed", id: batch.id, refused });
  writer.enqueue(derived.batch, bytes.length, onCommitted, derived.records);
}

export function createIntake(options: IntakeOptions): Intake {
  const intake: IntakeState = { ...options, readDictionary: createDictionaryReader() };
  const { fleet, metrics, logger, writer } = intake;
  return {
    takeHello: (message, { host }) => {
      const hello = checkHello(message);
      if (hello.host !== host) throw new FleetmarkError("BATCH_FOREIGN", `${host} introduces itself as host ${hello.host}`);
      const nowUs = readClockUs();
      const state = fleet.touch(host, nowUs);
      // Beside an agent, what that one said stands; without one, a guest is all that is known.
      if (message.guest) {
        state.hello ??= hello;
        return hello;
      }
      state.hello = hello;
      writer.enqueue(buildAgentBatch(hello, nowUs, intake.nextOwnId()), hello.inventoryJson.length);
      return hello;
    },
    takeBatch: (bytes, source, onFate) => {
      metrics.batchesReceived.inc();
      const incoming: Incoming = { id: undefined, bytes, source };
      try {
        storeBatch(intake, incoming, onFate);
      } catch (thrown) {
        void rejectBatch(intake, incoming, explainDefect(thrown, logger)).then(onFate);
      }
    },
    takeProgress: (progress, { host }) => {
      const checked = decodeProgress(progress);
      // A run that has ended has no benchmark under way.
      fleet.touch(host, readClockUs()).progress = checked.benchmark === "" ? undefined : checked;
    },
    waitForRoom: () => writer.waitForRoom(),
  };
}
