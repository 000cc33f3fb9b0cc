import { FleetmarkError } from "@fleetmark/shared/errors";

/** What the reply subject of a delivered message tells. */
export interface DeliveryFacts {
  /** Names the message for ever: its sequence, and when it was stored, for a stream made anew counts from 1 again. */
  readonly key: string;
  /** 1 at the first delivery. */
  readonly deliveries: number;
}

/**
 * Reads a reply subject (nats-architecture ADR-15): `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer
 * seq>.<time>.<pending>`, or the newer form with domain and account before the stream.
 * @throws FleetmarkError NATS_FAILED when it is no delivery of JetStream
 */
export function readDelivery(reply: string): DeliveryFacts {
  const tokens = reply.split(".");
  const first = tokens.length === 9 ? 4 : 6;
  const deliveries = Number(tokens[first]);
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || !Number.isSafeInteger(deliveries) || tokens.length < first + 5) {
    throw new FleetmarkError("NATS_FAILED", "a message that is no delivery of JetStream");
  }
  return { key: `${tokens[first + 1]}.${tokens[first + 3]}`, deliveries };
}
