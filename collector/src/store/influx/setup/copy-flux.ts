import { mixedKinds } from "@fleetmark/shared/records/registry";
import { wholeMeasurements } from "../roll-up.js";

/** Flux, to copy within InfluxDB 2.x alone: 1.x and 3.x do not run it, so that nothing is read with it. */

/** Buckets by their ids: names may have been given to others since, and a token may not be allowed to look them up. */
export interface CopyBuckets {
  readonly fromID: string;
  readonly toID: string;
  readonly orgID: string;
}

/** Copies what is kept whole to where it is kept longer. */
export function buildCopyFlux({ fromID, toID, orgID }: CopyBuckets, keepS: number): string {
  const start = keepS === Number.POSITIVE_INFINITY ? "0" : `-${Math.floor(keepS)}s`;
  const ofMixed = mixedKinds.map(({ measurement, ownFields = [] }) => {
    return ` or r._measurement == "${measurement}" and r._field =~ /^(${ownFields.join("|")})$/`;
  });
  return [
    `from(bucketID: ${JSON.stringify(fromID)})`,
    `    |> range(start: ${start})`,
    `    |> filter(fn: (r) => r._measurement =~ /^(${wholeMeasurements})$/${ofMixed.join("")})`,
    `    |> to(bucketID: ${JSON.stringify(toID)}, orgID: ${JSON.stringify(orgID)})`,
    "",
  ].join("\n");
}
