import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";

export const fuzzMeasurement = "fuzzed";

/** Encoded batches that a host may send, of several forms: what mutants are made from. */
export function makeSeeds(host: string): Uint8Array[] {
  const timeUs = Date.now() * 1000;
  return [1, 3, 40].map((points, i) => {
    const builder = new BatchBuilder();
    for (let n = 0; n < points; n++) {
      const fields: Record<string, number | string> = { a: n + 0.5, b: -n * 1e9, note: `text ${n}` };
      builder.add({ measurement: fuzzMeasurement, tags: { kind: `k${n % 3}`, empty: "" }, timeUs: timeUs + n * 1000, fields });
    }
    return encodeBatch(builder.build({ host, epochUs: timeUs, sequence: i + 1 }));
  });
}
