/**
 * What became of the samples since the agent began. At any moment
 * recorded = acked + dropped + those still waiting in the recorder or the outbox.
 */
export interface DeliveryCounts {
  recorded: number;
  /** First transmissions; a sample may then be resent. */
  sent: number;
  resent: number;
  /** In batches that the collector's store has committed. */
  acked: number;
  /** Lost on the way, by code of the error catalogue. */
  readonly dropped: Map<string, number>;
  /** In committed batches, but refused by the collector, by code. */
  readonly refused: Map<string, number>;
  reconnects: number;
  /** Frames from the collector that made no sense. */
  violations: number;
}

export function createCounts(): DeliveryCounts {
  return { recorded: 0, sent: 0, resent: 0, acked: 0, dropped: new Map(), refused: new Map(), reconnects: 0, violations: 0 };
}

export function addCount(counts: Map<string, number>, code: string, samples: number): void {
  counts.set(code, (counts.get(code) ?? 0) + samples);
}
