import type { Ack } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { addFate, createAck, hasFates } from "../acks.js";
import type { Fate } from "../intake.js";

/** Gathers what is to be acknowledged to one agent: all batches of one transaction share a frame. */
export interface AckOutbox {
  add(fate: Fate): void;
  /** Sends what was gathered; otherwise that happens at the end of the turn. */
  flush(): void;
}

export function createAckOutbox(send: (ack: Ack) => void): AckOutbox {
  let ack = createAck();
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    if (!hasFates(ack)) return;
    const gathered = ack;
    ack = createAck();
    send(gathered);
  };

  return {
    add: (fate) => {
      addFate(ack, fate);
      if (scheduled) return;
      scheduled = true;
      queueMicrotask(flush);
    },
    flush,
  };
}
