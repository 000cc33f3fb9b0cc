import type { Losses } from "../batch/losses.js";

/**
 * What became of the samples. All but `dropped` and `quarantined`, which go on from process to process, count since
 * the agent began. With an empty spool at the beginning, recorded = acked + dropped + those that wait in the recorder
 * or the spool.
 */
export interface DeliveryCounts extends Losses {
  recorded: number;
  /** First transmissions; a sample may then be resent, and what an earlier process left counts as resent. */
  sent: number;
  resent: number;
  /** In batches that the collector's store has committed. */
  acked: number;
  /** In committed batches, but refused by the collector, by code. */
  readonly refused: Map<string, number>;
  reconnects: number;
  /** Frames from the collector that made no sense. */
  violations: number;
}

export function createCounts(): DeliveryCounts {
  const byReason = { dropped: new Map(), refused: new Map() };
  return { recorded: 0, sent: 0, resent: 0, acked: 0, ...byReason, quarantined: 0, reconnects: 0, violations: 0 };
}
