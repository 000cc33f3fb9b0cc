import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AckSchema, CollectorFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { BatchId } from "@fleetmark/shared/model/batch";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { encodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import type { Fate } from "../intake.js";
import type { Custody, Held } from "./in-flight.js";

/**
 * Gathers what became of batches until the end of the turn, for all batches of one transaction come in one: then each agent gets one
 * Ack, and only then does the server get its answers. In the other order a crash between the two could leave an agent without a
 * word about a batch that no collector is given again; it would send it again, but only after a silence.
 */
export function createSettlements(
  custody: Custody,
  publish: (subject: string, payload: Uint8Array) => void,
): (held: Held, host: string, fate: Fate) => void {
  let gathered: { held: Held; host: string; fate: Fate }[] = [];

  const encodeId = ({ host, epochUs, sequence }: BatchId) => ({ host, epochUs: BigInt(epochUs), sequence: BigInt(sequence) });

  const describe = (fate: Fate): MessageInitShape<typeof AckSchema> => {
    // Without an id there is no name by which the agent would know it.
    if (fate.id === undefined) return {};
    const id = encodeId(fate.id);
    if (fate.kind === "rejected") return { rejected: [{ id, code: fate.code, message: fate.message }] };
    return { committed: [id], refused: [...fate.refused].map(([code, samples]) => ({ id, code, samples })) };
  };

  const flush = (): void => {
    const settled = gathered;
    gathered = [];
    const acks = new Map<string, ReturnType<typeof create<typeof AckSchema>>>();
    for (const { host, fate } of settled) {
      const ack = acks.get(host) ?? create(AckSchema);
      acks.set(host, ack);
      const { committed, rejected, refused } = create(AckSchema, describe(fate));
      ack.committed.push(...committed);
      ack.rejected.push(...rejected);
      ack.refused.push(...refused);
    }
    for (const [host, value] of acks) {
      if (value.committed.length + value.rejected.length === 0) continue;
      publish(natsSubject("ack", host), encodeCollectorFrame(create(CollectorFrameSchema, { frame: { case: "ack", value } })));
    }
    for (const { held, fate } of settled) custody.settle(held, fate.kind === "committed" ? "acked" : "terminated");
  };

  return (held, host, fate) => {
    gathered.push({ held, host, fate });
    if (gathered.length === 1) queueMicrotask(flush);
  };
}
