import type { MessageInitShape } from "@bufbuild/protobuf";
import { FleetmarkError } from "../errors.js";
import type { BatchIdSchema, BatchId as WireBatchId } from "../gen/fleetmark/v1/fleet_pb.js";
import type { BatchId } from "../model/batch.js";

function malformed(message: string): never {
  throw new FleetmarkError("BATCH_MALFORMED", message);
}

/**
 * Returns a 64-bit integer of the wire as a number.
 * @throws FleetmarkError BATCH_MALFORMED where a number can't hold it exactly
 */
export function toSafeNumber(what: string, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) malformed(`${what} ${value} is out of range`);
  return number;
}

export function encodeBatchId({ host, epochUs, sequence }: BatchId): MessageInitShape<typeof BatchIdSchema> {
  return { host, epochUs: BigInt(epochUs), sequence: BigInt(sequence) };
}

/**
 * Decodes the id of a message, checked.
 * @throws FleetmarkError BATCH_MALFORMED
 */
export function decodeBatchId(id: Pick<WireBatchId, "host" | "epochUs" | "sequence"> | undefined): BatchId {
  if (id === undefined) malformed("a batch without an id");
  if (id.host === "" || id.host.length > 255) malformed(`a host name of ${id.host.length} characters`);
  const epochUs = toSafeNumber("epoch", id.epochUs);
  const sequence = toSafeNumber("sequence", id.sequence);
  if (epochUs < 0 || sequence < 1) malformed(`a batch id with epoch ${epochUs} and sequence ${sequence}`);
  return { host: id.host, epochUs, sequence };
}
