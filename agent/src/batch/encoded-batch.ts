import type { ErrorCode } from "@fleetmark/shared/errors";
import type { BatchId } from "@fleetmark/shared/model/batch";

/** Under pressure telemetry is given up before results. */
export type Priority = "telemetry" | "result";

/** Every priority, in the order in which what waits is sent. */
export const priorities = ["result", "telemetry"] as const satisfies readonly Priority[];

/** A batch as it travels: encoded once, resent as it is. */
export interface EncodedBatch {
  readonly id: BatchId;
  readonly priority: Priority;
  readonly bytes: Uint8Array;
  readonly samples: number;
}

/**
 * Why samples are lost or refused, as it is stored: a code of the error catalogue, or one from a collector that it
 * lacks.
 */
export type LossReason = ErrorCode | "UNKNOWN";

/**
 * How a batch left: the store has it, it is there under another name now, or why it is lost. What was dropped before it
 * became a batch is counted by its reasons.
 */
export type Fate = "committed" | "renumbered" | LossReason | "dropped";
