import { create } from "@bufbuild/protobuf";
import { type Ack, CollectorFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { encodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import { addFate, createAck, hasFates } from "../acks.js";
import type { Fate } from "../intake.js";
import { answerMessage, type InFlight, type InFlightMessage } from "./in-flight.js";

/** A message, and what became of the batch in it. */
interface Fated {
  readonly message: InFlightMessage;
  readonly host: string;
  readonly fate: Fate;
}

/**
 * Gathers what became of batches until the end of the turn, for all batches of one transaction come in one: then each
 * agent gets one Ack, and only then does the server get its answers. In the other order a crash between the two could
 * leave an agent without a word about a batch that no collector is given again; it would send it again, but only after
 * a silence.
 */
export interface AckPublisher {
  gathered: Fated[];
  readonly inFlight: InFlight;
  readonly publish: (subject: string, payload: Uint8Array) => void;
}

export function createAckPublisher(inFlight: InFlight, publish: AckPublisher["publish"]): AckPublisher {
  return { gathered: [], inFlight, publish };
}

/** Tells an agent and the server what became of a batch, at the end of the turn. */
export function publishFate(publisher: AckPublisher, message: InFlightMessage, host: string, fate: Fate): void {
  publisher.gathered.push({ message, host, fate });
  if (publisher.gathered.length === 1) queueMicrotask(() => publishGathered(publisher));
}

const answersByFate = { committed: "acked", rejected: "terminated", deferred: "deferred" } as const;

function publishGathered(publisher: AckPublisher): void {
  const { gathered, inFlight, publish } = publisher;
  publisher.gathered = [];
  const acks = new Map<string, Ack>();
  for (const { host, fate } of gathered) {
    const ack = acks.get(host) ?? createAck();
    acks.set(host, ack);
    addFate(ack, fate);
  }
  for (const [host, value] of acks) {
    if (!hasFates(value)) continue;
    publish(natsSubject("ack", host), encodeCollectorFrame(create(CollectorFrameSchema, { frame: { case: "ack", value } })));
  }
  for (const { message, fate } of gathered) answerMessage(inFlight, message, answersByFate[fate.kind]);
}
