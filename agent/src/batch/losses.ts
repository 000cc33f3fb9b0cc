/** What is lost for good. It goes on from process to process, for it is kept beside the batches. */
export interface Losses {
  /** Samples, by reason (LossReason; an earlier version may have left others). */
  readonly dropped: Map<string, number>;
  /** Batches of the spool that could not be read. */
  quarantined: number;
}

export function addCount(counts: Map<string, number>, reason: string, samples: number): void {
  counts.set(reason, (counts.get(reason) ?? 0) + samples);
}
