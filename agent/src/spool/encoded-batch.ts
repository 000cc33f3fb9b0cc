import type { BatchId } from "@fleetmark/shared/model/batch";

/** Under pressure telemetry is given up before results. */
export type Priority = "telemetry" | "result";

/** A batch as it travels: encoded once, resent as it is. */
export interface Parcel {
  readonly id: BatchId;
  readonly priority: Priority;
  readonly bytes: Uint8Array;
  readonly samples: number;
}

/** How a parcel left: the store has it, or the code of the error catalogue that says why it is lost. */
export type Fate = "committed" | (string & {});
