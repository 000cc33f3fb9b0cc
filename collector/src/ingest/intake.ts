import { crc32 } from "node:zlib";
import { type ErrorCode, errorMessage, FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";
import type { Hello, Progress } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import type { BatchId } from "@fleetmark/shared/model/batch";
import type { Kpi } from "@fleetmark/shared/model/kpis";
import type { Series } from "@fleetmark/shared/model/series";
import { type BatchOutline, type DecodedBatch, outlineBatch, type ReadDictionary } from "@fleetmark/shared/wire/batch-decoder";
import { decodeProgress } from "@fleetmark/shared/wire/progress";
import { type ClockJudgement, describeDispute, readHostClock } from "../fleet/clock-check.js";
import type { AgentHello, Fleet, HostState } from "../fleet/fleet.js";
import { findName, type NameKeeper } from "../fleet/name-keeper.js";
import { readClockUs, readSteadyUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import { deriveRecords } from "./derive.js";
import { createDictionaryReader } from "./dictionaries.js";
import { buildAgentBatch, checkHello } from "./hello.js";
import { noticeIntroduction } from "./introduction.js";
import type { IngestLimits } from "./limits.js";
import type { Quarantine, QuarantineItem } from "./quarantine/quarantine.js";
import type { RefusalCode, RefusedSamples } from "./quarantine/refused-samples.js";
import type { SeriesGuard } from "./series-guard.js";
import { judgeBatch, type ValidatedBatch, type ValidationRules, validateBatch } from "./validate.js";
import type { Writer } from "./writer.js";

/** What became of a batch. All but `deferred` is final: no resend changes it. */
export type Fate =
  /** Neither stored nor rejected, for a reason that will pass: it is to be sent again. */
  | { readonly kind: "deferred"; readonly id: BatchId; readonly code: ErrorCode; readonly message: string }
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
  /** Whether it came from a process of this machine, as far as the link can tell. */
  readonly isLocal?: boolean;
  /** The identity of the agent at the other end, where the link has one end. */
  readonly identity?: string;
  /** Whether it may speak for another host too: one that its certificate names, or any if it is taken at its word. */
  readonly speaksFor?: (host: string) => boolean;
}

/**
 * Where every link hands over what agents send. What it decides depends on the bytes and the source, never on the
 * link.
 */
export interface Intake {
  /**
   * Takes in how an agent introduces itself: its host is known from now on, and the introduction is stored.
   * @throws FleetmarkError PROTOCOL_MISMATCH, PROTOCOL_VIOLATION, SERIES_INVALID, BATCH_FOREIGN, HOST_NAME_TAKEN,
   *   HOSTS_TOO_MANY
   */
  takeHello(hello: Hello, source: Source): AgentHello;
  /**
   * Takes in an encoded batch. `onFate` is called once, when the store has committed it or the quarantine holds it;
   * never when neither comes to pass before the collector ends.
   */
  takeBatch(bytes: Uint8Array, source: Source, onFate: (fate: Fate) => void): void;
  /**
   * Takes in a batch that is decoded already, as `takeBatch` does: what was in quarantine, and comes again.
   */
  takeDecoded(batch: DecodedBatch, encodedBytes: number, onFate: (fate: Fate) => void): void;
  /**
   * Takes in again an introduction that is known: its agent must still be the one that holds the host's name.
   * @throws FleetmarkError HOST_NAME_TAKEN
   */
  takeKnownHello(hello: Hello, source: Source): void;
  /** Notes what a host's clock shows. */
  takeClock(sentUs: bigint, source: Source): void;
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
  readonly nameKeeper: NameKeeper;
  /** Whether the hosts' clocks contradict the collector's. */
  readonly judgeClock: () => ClockJudgement;
  /** The KPIs that results feed; default: those of the project. */
  readonly kpis?: readonly Kpi[];
}

interface IntakeState extends IntakeOptions {
  readonly readDictionary: ReadDictionary;
}

async function keepInQuarantine(intake: IntakeState, item: QuarantineItem): Promise<void> {
  const { quarantine, metrics, logger } = intake;
  try {
    await quarantine.keep(item, readClockUs());
    metrics.quarantineBytes.set(quarantine.size());
  } catch (thrown) {
    metrics.quarantineFailures.inc();
    logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "what was rejected could not be kept");
  }
}

/** Keeps what was refused of a batch, under the reason of its first sample. */
function keepRefused(intake: IntakeState, refused: RefusedSamples): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(refused));
  return keepInQuarantine(intake, { kind: "samples", bytes, code: refused.samples[0][3], host: refused.batch.host });
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
    logger.warn({ event: "samples_refused", agent: host.host, code, samples }, "samples were refused");
  }
}

function createReuse({ host, sequence }: BatchId): FleetmarkError {
  const message = `another batch of host ${host} is stored under the name of this one (sequence ${sequence})`;
  return new FleetmarkError("BATCH_ID_REUSED", message);
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
  intake.logger.warn({ event: "batch_rejected", agent: host, link, code, error: message }, "a batch was rejected");
  await keepInQuarantine(intake, { kind: "batch", bytes, code, host: id?.host });
  return { kind: "rejected", id, code, message };
}

/** Refusals for which the collector's clock may be to blame. */
const timeCodes = ["TIME_AHEAD", "TIME_BEHIND"] as const;

/**
 * Whether samples would be refused for their time by a clock that most hosts contradict: then it is not known that
 * they are wrong, and their batch is not judged yet.
 */
function findDispute(intake: IntakeState, refused: ReadonlyMap<RefusalCode, number>): string | undefined {
  if (!timeCodes.some((code) => refused.has(code))) return undefined;
  const judgement = intake.judgeClock();
  return judgement.verdict === "disputed" ? describeDispute(judgement) : undefined;
}

/**
 * Queues what of a batch is to be stored, once what is refused of it is in quarantine: it is acknowledged after both.
 */
function storeValidated(
  intake: IntakeState,
  host: HostState,
  { batch, refused, refusedSamples, restamped, records }: ValidatedBatch,
  encodedBytes: number,
  onFate: (fate: Fate) => void,
  onConflict?: () => void,
): void {
  const { metrics, writer } = intake;
  const { id } = batch;
  const dispute = findDispute(intake, refused);
  if (dispute !== undefined) {
    metrics.batchesDeferred.inc();
    onFate({ kind: "deferred", id, code: "CLOCK_DISPUTED", message: dispute });
    return;
  }
  // What follows from its records is committed with it: it is acknowledged once all of it is.
  const derived = deriveRecords(batch, records, intake.kpis);
  countRefused(intake, refused, host);
  metrics.samplesRestamped.inc(restamped);
  noticeIntroduction(host, batch);
  const onCommitted = (): void => onFate({ kind: "committed", id, refused });
  const enqueue = (): void => writer.enqueue(derived.batch, encodedBytes, onCommitted, derived.records, onConflict);
  if (refusedSamples === undefined) enqueue();
  else void keepRefused(intake, refusedSamples).then(enqueue);
}

function makeRules({ limits, guard, readDictionary }: IntakeState, host: HostState, nowUs: number): ValidationRules {
  return { limits, readDictionary, nowUs, judgeSeries: (series: readonly Series[]) => guard.judge(host, series, nowUs) };
}

/**
 * Judges whether a batch comes from the agent that holds its host's name; returns why not. Over gRPC the agent has
 * shown that by its Hello; what waits in its spool may be of an earlier identity.
 */
function judgeName({ nameKeeper, fleet }: IntakeState, { id, identity }: BatchOutline, source: Source): string | undefined {
  if (source.link === "grpc" || identity === "" || id.host !== source.host) return undefined;
  if (nameKeeper.isFormer(id.host, identity)) return undefined;
  return nameKeeper.take(id.host, { identity, machine: "" }, fleet.get(id.host)?.attached ?? false);
}

/** Validates a batch and queues what of it is to be stored. */
function storeBatch(intake: IntakeState, incoming: Incoming, onFate: (fate: Fate) => void): void {
  const { bytes, source } = incoming;
  const nowUs = readClockUs();
  const outline = outlineBatch(bytes);
  incoming.id = outline.id;
  const taken = judgeName(intake, outline, source);
  if (taken !== undefined) {
    intake.metrics.batchesDeferred.inc();
    onFate({ kind: "deferred", id: outline.id, code: "HOST_NAME_TAKEN", message: taken });
    return;
  }
  const named = { ...outline, id: { ...outline.id, host: findName(intake.nameKeeper, outline, source) } };
  const host = intake.fleet.touch(named.id.host, nowUs);
  host.counters.batches_received++;
  const validated = validateBatch(bytes, named, makeRules(intake, host, nowUs));
  const batch = { ...validated.batch, digest: crc32(bytes) };
  const reject = (): void => void rejectBatch(intake, incoming, createReuse(outline.id)).then(onFate);
  // Its agent knows it by the name that it gave it.
  const tell = (fate: Fate): void => onFate({ ...fate, id: outline.id });
  storeValidated(intake, host, { ...validated, batch }, bytes.length, tell, reject);
}

function takeDecoded(intake: IntakeState, batch: DecodedBatch, encodedBytes: number, onFate: (fate: Fate) => void): void {
  const nowUs = readClockUs();
  const host = intake.fleet.touch(batch.id.host, nowUs);
  storeValidated(intake, host, judgeBatch(batch, makeRules(intake, host, nowUs)), encodedBytes, onFate);
}

/** @throws FleetmarkError HOST_NAME_TAKEN */
function requireName({ nameKeeper, fleet }: IntakeState, { guest, identity, machine }: Hello, host: string): void {
  if (guest) return;
  const taken = nameKeeper.take(host, { identity, machine }, fleet.get(host)?.attached ?? false);
  if (taken !== undefined) throw new FleetmarkError("HOST_NAME_TAKEN", taken);
}

function noteClock({ fleet }: IntakeState, sentUs: bigint, { host, isLocal = false }: Source): void {
  const state = fleet.get(host);
  const told = readHostClock(sentUs, readSteadyUs(), isLocal);
  if (state !== undefined && told !== undefined) state.clock = told;
}

export function createIntake(options: IntakeOptions): Intake {
  const intake: IntakeState = { ...options, readDictionary: createDictionaryReader() };
  const { fleet, metrics, logger, writer } = intake;
  return {
    takeHello: (message, source) => {
      const { host } = source;
      const hello = checkHello(message);
      if (hello.host !== host) throw new FleetmarkError("BATCH_FOREIGN", `${host} introduces itself as host ${hello.host}`);
      requireName(intake, message, host);
      const nowUs = readClockUs();
      const state = fleet.touch(host, nowUs);
      noteClock(intake, message.sentUs, source);
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
    takeKnownHello: (message, source) => {
      requireName(intake, message, source.host);
      fleet.touch(source.host, readClockUs());
      noteClock(intake, message.sentUs, source);
    },
    takeDecoded: (batch, encodedBytes, onFate) => takeDecoded(intake, batch, encodedBytes, onFate),
    takeClock: (sentUs, source) => noteClock(intake, sentUs, source),
    takeProgress: (message, { host }) => {
      const { progress, outlook } = decodeProgress(message);
      const state = fleet.touch(host, readClockUs());
      // A run that has ended has no benchmark under way.
      state.progress = progress.benchmark === "" ? undefined : progress;
      state.outlook = outlook;
    },
    waitForRoom: () => writer.waitForRoom() ?? intake.quarantine.waitForRoom(),
  };
}
