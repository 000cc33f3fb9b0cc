import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Hello, Progress } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import type { BatchId } from "@fleetmark/shared/model/batch";
import { outlineBatch } from "@fleetmark/shared/wire/batch-decoder";
import { decodeProgress } from "@fleetmark/shared/wire/progress";
import type { AgentHello, Fleet, HostState } from "../fleet/fleet.js";
import { readClockUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import { addKpis } from "./derive.js";
import { createDictionaryReader } from "./dictionaries.js";
import { buildAgentBatch, checkHello } from "./hello.js";
import type { IngestLimits } from "./limits.js";
import type { Quarantine } from "./quarantine.js";
import type { SeriesGuard } from "./series-guard.js";
import { type Admission, admitBatch } from "./validate.js";
import type { Writer } from "./writer.js";

/** What finally became of a batch; no resend changes it. */
export type Fate =
  | { readonly kind: "committed"; readonly id: BatchId; readonly refused: ReadonlyMap<ErrorCode, number> }
  /** In quarantine. The id is undefined where it can't be read. */
  | { readonly kind: "rejected"; readonly id: BatchId | undefined; readonly code: ErrorCode; readonly message: string };

/** By which way something came, and the host that this way vouches for: by certificate, by subject, or by its word on loopback. */
export interface Source {
  readonly link: "grpc" | "nats";
  readonly host: string;
}

/** Where every link hands over what agents send. What it decides depends on the bytes and the source, never on the link. */
export interface Intake {
  /**
   * Takes in how an agent introduces itself: its host is known from now on, and the introduction is stored.
   * @throws FleetmarkError PROTOCOL_MISMATCH, PROTOCOL_VIOLATION, SERIES_INVALID, BATCH_FOREIGN, HOSTS_TOO_MANY
   */
  takeHello(hello: Hello, source: Source): AgentHello;
  /**
   * Takes in an encoded batch. `onFate` is called once, when the store has committed it or the quarantine holds it; never when neither
   * comes to pass before the collector ends.
   */
  takeBatch(bytes: Uint8Array, source: Source, onFate: (fate: Fate) => void): void;
  /** @throws FleetmarkError PROTOCOL_VIOLATION, HOSTS_TOO_MANY */
  takeProgress(progress: Progress, source: Source): void;
  /** Resolves at once while there is room, else when there is room again: until then a link is to hand over nothing more. */
  waitForRoom(): Promise<void> | undefined;
}

export interface IntakeParts {
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

async function keepInQuarantine(parts: IntakeParts, bytes: Uint8Array, code: ErrorCode, id: BatchId | undefined): Promise<void> {
  const { quarantine, metrics, logger } = parts;
  try {
    await quarantine.keep(bytes, code, id, readClockUs());
    metrics.quarantineBytes.set(quarantine.size());
  } catch (thrown) {
    metrics.quarantineFailures.inc();
    logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "a rejected batch could not be kept");
  }
}

function toFleetmarkError(thrown: unknown, logger: Logger): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  logger.error({ event: "batch_failed", err: thrown }, "the collector failed on a batch");
  return new FleetmarkError("INTERNAL", "the collector failed on this batch; its log says more", { cause: thrown });
}

export function createIntake(parts: IntakeParts): Intake {
  const { limits, fleet, guard, metrics, logger, writer } = parts;
  const readDictionary = createDictionaryReader();

  const noteRefused = (refused: Admission["refused"], host: HostState): void => {
    for (const [code, samples] of refused) {
      metrics.samplesRefused.inc({ code }, samples);
      host.counters.samples_refused += samples;
      logger.warn({ event: "samples_refused", host: host.host, code, samples }, "samples were refused");
    }
  };

  const rejectBatch = async (
    id: BatchId | undefined,
    { code, message }: FleetmarkError,
    bytes: Uint8Array,
    { host, link }: Source,
    onFate: (fate: Fate) => void,
  ): Promise<void> => {
    metrics.batchesRejected.inc({ code });
    const state = fleet.get(host);
    if (state !== undefined) state.counters.batches_rejected++;
    logger.warn({ event: "batch_rejected", host, link, code, error: message }, "a batch was rejected");
    await keepInQuarantine(parts, bytes, code, id);
    onFate({ kind: "rejected", id, code, message });
  };

  return {
    takeHello: (message, { host }) => {
      const hello = checkHello(message);
      if (hello.host !== host) throw new FleetmarkError("BATCH_FOREIGN", `${host} introduces itself as host ${hello.host}`);
      const nowUs = readClockUs();
      fleet.touch(host, nowUs).hello = hello;
      writer.enqueue(buildAgentBatch(hello, nowUs, parts.nextOwnId()), hello.inventoryJson.length);
      return hello;
    },
    takeBatch: (bytes, source, onFate) => {
      metrics.batchesReceived.inc();
      const nowUs = readClockUs();
      let id: BatchId | undefined;
      try {
        const outline = outlineBatch(bytes);
        id = outline.id;
        const host = fleet.touch(source.host, nowUs);
        host.counters.batches_received++;
        const { batch, refused } = admitBatch(bytes, outline, source.host, {
          ...{ limits, readDictionary, nowUs },
          judgeSeries: (series) => guard.judge(host, series, nowUs),
        });
        // The KPIs that its results give are committed with it: it is acknowledged once all of it is.
        const enriched = addKpis(batch);
        noteRefused(refused, host);
        writer.enqueue(enriched, bytes.length, () => onFate({ kind: "committed", id: batch.id, refused }));
      } catch (thrown) {
        void rejectBatch(id, toFleetmarkError(thrown, logger), bytes, source, onFate);
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
