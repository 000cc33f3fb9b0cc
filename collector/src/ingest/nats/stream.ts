import { FleetmarkError } from "@fleetmark/shared/errors";
import { natsConsumer, natsStream, natsSubjects } from "@fleetmark/shared/nats/subjects";
import type { ConsumerConfig, JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import { jetStreamError } from "./failure.js";

/** What the collector makes on a NATS server, unless it is there. */
export interface NatsStreamConfig {
  /** Servers of the cluster that hold each batch. */
  readonly replicas: number;
  readonly max_bytes: number;
  /** Batches of one host that may wait; 0 for no bound. */
  readonly max_batches_per_host: number;
  /** Seconds; 0 for no bound. */
  readonly max_age: number;
  readonly storage: "file" | "memory";
}

/**
 * Seconds after which a batch that a collector has in hand goes to another, unless the first says that it still works
 * on it.
 */
const ackWaitSeconds = 15;
/** Batches that all collectors together may have in hand; each one bounds its own far below. */
const maxAckPending = 16_384;
/** Seconds in which a publish with the same id is a repetition; an agent's own repetitions come within seconds. */
const duplicateWindowSeconds = 120;

const nanos = 1e9;

type Wanted<C> = { readonly [K in keyof C]?: C[K] };

/** What stands in the way of the contract stops the ingest; what only sizes the stream is said, and it goes on. */
interface Difference {
  readonly key: string;
  readonly actual: unknown;
  readonly wanted: unknown;
  readonly grave: boolean;
}

/**
 * The stream that the configuration asks for. A work queue: what a collector has acknowledged is gone, so its size is
 * the backlog. `discard: new` turns agents away when it is full, and they keep what they have; the oldest would
 * otherwise be dropped. Each host has a subject of its own, and is turned away alone when its part is full.
 */
export function wantStream(config: NatsStreamConfig): Wanted<StreamConfig> {
  const { replicas, max_bytes, max_batches_per_host, max_age, storage } = config;
  return {
    subjects: [natsSubjects("batch")],
    retention: "workqueue",
    discard: "new",
    storage,
    num_replicas: replicas,
    max_bytes,
    max_msgs_per_subject: max_batches_per_host === 0 ? -1 : max_batches_per_host,
    discard_new_per_subject: max_batches_per_host > 0,
    max_age: max_age * nanos,
    duplicate_window: duplicateWindowSeconds * nanos,
  };
}

export function wantConsumer(): Wanted<ConsumerConfig> {
  return {
    durable_name: natsConsumer,
    ack_policy: "explicit",
    deliver_policy: "all",
    ack_wait: ackWaitSeconds * nanos,
    max_ack_pending: maxAckPending,
    max_deliver: -1,
  };
}

/** Without these a batch could be lost, swallowed, or never come. */
const graveKeys = new Set(["subjects", "retention", "discard", "ack_policy", "deliver_policy", "max_deliver"]);
/** The command's flag for what can be changed on a stream that exists. */
const editFlags: Readonly<Record<string, string>> = {
  num_replicas: "--replicas",
  max_bytes: "--max-bytes",
  max_msgs_per_subject: "--max-msgs-per-subject",
  discard_new_per_subject: "--discard-per-subject",
  max_age: "--max-age",
  discard: "--discard",
  subjects: "--subjects",
  duplicate_window: "--dupe-window",
};
const ownKeys: Readonly<Record<string, string>> = { num_replicas: "replicas", max_msgs_per_subject: "max_batches_per_host" };

/** Returns in what a stream or consumer that exists differs from what is wanted of it. */
export function compareConfig<C extends object>(actual: C, wanted: Wanted<C>): Difference[] {
  return Object.entries(wanted).flatMap(([key, value]) => {
    const found = (actual as Record<string, unknown>)[key];
    return JSON.stringify(found) === JSON.stringify(value)
      ? []
      : [{ key, actual: found, wanted: value, grave: graveKeys.has(key) }];
  });
}

const perSubjectKeys = new Set(["max_msgs_per_subject", "discard_new_per_subject"]);

/** A host's bound only sizes the stream, unless its oldest batches leave when a new one comes. */
function compareStream(found: StreamConfig, wanted: Wanted<StreamConfig>): Difference[] {
  // The server leaves out a switch that is off.
  const discard_new_per_subject = found.discard_new_per_subject === true;
  const drops = found.max_msgs_per_subject > 0 && !discard_new_per_subject;
  const differences = compareConfig({ ...found, discard_new_per_subject }, wanted);
  return differences.map((each) => (perSubjectKeys.has(each.key) ? { ...each, grave: drops } : each));
}

function show(key: string, value: unknown): string {
  const seconds = typeof value === "number" && ["max_age", "duplicate_window", "ack_wait"].includes(key);
  return seconds ? `${(value as number) / nanos}s` : JSON.stringify(value);
}

function explainStream(differences: readonly Difference[]): string {
  const parts = differences.map(({ key, actual, wanted }) => `${key} is ${show(key, actual)}, wanted ${show(key, wanted)}`);
  const flags = differences.flatMap(({ key, wanted }) => {
    const flag = editFlags[key];
    if (flag === undefined) return [];
    if (typeof wanted === "boolean") return [wanted ? flag : flag.replace("--", "--no-")];
    return [`${flag}=${show(key, Array.isArray(wanted) ? wanted[0] : wanted)}`];
  });
  const fixed = differences.filter(({ key }) => !(key in editFlags));
  const edit = flags.length > 0 ? `\`nats stream edit ${natsStream} ${flags.join(" ").replaceAll('"', "")}\` changes it` : "";
  const anew =
    fixed.length > 0
      ? `${fixed.map(({ key }) => key).join(" and ")} can't be changed: delete the stream and a collector makes it anew; agents send again what was in it`
      : "";
  const kept = differences
    .filter(({ key, grave }) => !grave && key !== "discard_new_per_subject")
    .map(({ key, actual }) => `nats.stream.${ownKeys[key] ?? key}: ${actual === -1 ? 0 : show(key, actual)}`);
  const keep = kept.length > 0 ? `to keep it, configure ${kept.join(", ")}` : "";
  return `the stream ${natsStream} differs: ${parts.join("; ")}. ${[edit, anew, keep].filter((text) => text !== "").join("; ")}`;
}

function explainConsumer(differences: readonly Difference[]): string {
  const parts = differences.map(({ key, actual, wanted }) => `${key} is ${show(key, actual)}, wanted ${show(key, wanted)}`);
  const remedy = `\`nats consumer rm ${natsStream} ${natsConsumer}\` takes it away, and a collector makes it anew; nothing is lost`;
  return `the consumer ${natsConsumer} of ${natsStream} differs: ${parts.join("; ")}. ${remedy}`;
}

async function findOrMake<I>(find: () => Promise<I>, make: () => Promise<I>, missing: number): Promise<I> {
  try {
    return await find();
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code !== missing) throw thrown;
  }
  try {
    return await make();
  } catch (thrown) {
    // Another collector may have made it meanwhile, with a configuration of its own.
    return find().catch(() => {
      throw thrown;
    });
  }
}

const streamMissing = 10_059;
const consumerMissing = 10_014;

/**
 * Finds the stream and the consumer, and makes what is missing. What exists is never altered: what differs is said.
 * @param tell hears of differences that do not stand in the way
 * @returns the milliseconds after which a batch in hand goes to another collector
 * @throws FleetmarkError NATS_STREAM_MISMATCH, NATS_NO_JETSTREAM, NATS_FAILED
 */
export async function ensureStream(
  manager: JetStreamManager,
  config: NatsStreamConfig,
  tell: (difference: FleetmarkError) => void,
): Promise<number> {
  const judge = (differences: readonly Difference[], explain: typeof explainStream): void => {
    if (differences.length === 0) return;
    const mismatch = new FleetmarkError("NATS_STREAM_MISMATCH", explain(differences));
    if (differences.some(({ grave }) => grave)) throw mismatch;
    tell(mismatch);
  };
  try {
    const stream = wantStream(config);
    const { config: found } = await findOrMake(
      () => manager.streams.info(natsStream),
      () => manager.streams.add({ ...stream, name: natsStream }),
      streamMissing,
    );
    judge(compareStream(found, stream), explainStream);
    const consumer = wantConsumer();
    const { config: durable } = await findOrMake(
      () => manager.consumers.info(natsStream, natsConsumer),
      () => manager.consumers.add(natsStream, consumer),
      consumerMissing,
    );
    judge(compareConfig<ConsumerConfig>(durable, consumer), explainConsumer);
    return (durable.ack_wait ?? ackWaitSeconds * nanos) / 1e6;
  } catch (thrown) {
    throw jetStreamError(thrown);
  }
}
