import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ErrorCode } from "@fleetmark/shared/errors";
import { type Ack, AckSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { BatchId } from "@fleetmark/shared/model/batch";

/** Gathers what is to be acknowledged to one agent: all batches of one transaction share a frame. */
export interface AckOutbox {
  addCommitted(id: BatchId, refused: ReadonlyMap<ErrorCode, number>): void;
  addRejected(id: BatchId, code: ErrorCode, message: string): void;
  /** Sends what was gathered; otherwise that happens at the end of the turn. */
  flush(): void;
}

export function createAckOutbox(send: (ack: Ack) => void): AckOutbox {
  let ack = create(AckSchema);
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    if (ack.committed.length + ack.rejected.length === 0) return;
    const gathered = ack;
    ack = create(AckSchema);
    send(gathered);
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(flush);
  };
  const encodeId = ({ host, epochUs, sequence }: BatchId) => ({ host, epochUs: BigInt(epochUs), sequence: BigInt(sequence) });
  const gather = (more: MessageInitShape<typeof AckSchema>): void => {
    const { committed, rejected, refused } = create(AckSchema, more);
    ack.committed.push(...committed);
    ack.rejected.push(...rejected);
    ack.refused.push(...refused);
    schedule();
  };

  return {
    addCommitted: (id, refused) => {
      gather({
        committed: [encodeId(id)],
        refused: [...refused].map(([code, samples]) => ({ id: encodeId(id), code, samples })),
      });
    },
    addRejected: (id, code, message) => gather({ rejected: [{ id: encodeId(id), code, message }] }),
    flush,
  };
}
