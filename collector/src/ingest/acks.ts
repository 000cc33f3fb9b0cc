import { create } from "@bufbuild/protobuf";
import {
  type Ack,
  AckSchema,
  BatchIdSchema,
  RefusedSamplesSchema,
  RejectionSchema,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { encodeBatchId } from "@fleetmark/shared/wire/batch-id";
import type { Fate } from "./intake.js";

/** Makes an acknowledgement that says nothing yet. */
export function createAck(): Ack {
  return create(AckSchema);
}

/**
 * Adds to an acknowledgement what became of a batch. One without an id is left out: there is no name by which its
 * agent would know it. So is one that was deferred: the agent is to send it again.
 */
export function addFate(ack: Ack, fate: Fate): void {
  if (fate.id === undefined || fate.kind === "deferred") return;
  const id = create(BatchIdSchema, encodeBatchId(fate.id));
  if (fate.kind === "rejected") {
    ack.rejected.push(create(RejectionSchema, { id, code: fate.code, message: fate.message }));
    return;
  }
  ack.committed.push(id);
  for (const [code, samples] of fate.refused) ack.refused.push(create(RefusedSamplesSchema, { id, code, samples }));
}

/** Whether an acknowledgement says anything. */
export function hasFates({ committed, rejected }: Ack): boolean {
  return committed.length + rejected.length > 0;
}
