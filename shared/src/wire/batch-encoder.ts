import { create, toBinary } from "@bufbuild/protobuf";
import { FleetmarkError } from "../errors.js";
import { BatchSchema } from "../gen/fleetmark/v1/fleet_pb.js";
import { type Batch, maxStepUs } from "../model/batch.js";
import { encodeBatchId } from "./batch-id.js";

function encodeSteps(times: number[], base: number): number[] {
  let before = base;
  return times.map((time) => {
    const step = time - before;
    if (!Number.isSafeInteger(time) || Math.abs(step) > maxStepUs) {
      throw new FleetmarkError("BATCH_MALFORMED", `time ${time} µs is too far from the sample before it to share a batch`);
    }
    before = time;
    return step;
  });
}

/**
 * Encodes a batch as the protobuf message fleetmark.v1.Batch. The tag `host` is not sent.
 * @param identity of the agent that measured it; empty where it has none
 * @throws FleetmarkError BATCH_MALFORMED when neighbouring samples are over 35 minutes apart
 */
export function encodeBatch(batch: Batch, identity = ""): Uint8Array {
  const base = batch.numbers.timeUs[0] ?? batch.texts.timeUs[0] ?? 0;
  return toBinary(
    BatchSchema,
    create(BatchSchema, {
      id: encodeBatchId(batch.id),
      series: batch.series.map((series) => ({
        measurement: series.measurement,
        field: series.field,
        tags: Object.entries(series.tags).flatMap(([key, value]) => (key === "host" || value === "" ? [] : [{ key, value }])),
      })),
      identity,
      baseTimeUs: BigInt(base),
      numbers: {
        seriesIndex: batch.numbers.series,
        timeDeltaUs: encodeSteps(batch.numbers.timeUs, base),
        value: batch.numbers.values,
      },
      texts: {
        seriesIndex: batch.texts.series,
        timeDeltaUs: encodeSteps(batch.texts.timeUs, base),
        text: batch.texts.values,
      },
    }),
  );
}
