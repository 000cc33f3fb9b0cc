/** What the shared consumer looks like from the server, at one moment. */
export interface ConsumerFigures {
  /** Batches in the stream that no collector has been given yet. */
  readonly pending: number;
  /** Batches that collectors have in hand. */
  readonly ackPending: number;
  /** Of those, the ones that were given out before. */
  readonly redelivered: number;
}

/** Milliseconds without a message after which a consumer that has some to give is taken for stuck. */
export const stuckAfterMs = 20_000;

/**
 * Whether the fetching is stuck: the server has batches to give, this collector waits for them, and none came for long. Seen after
 * leader elections and lost requests; to ask anew costs nothing where it was a mistake.
 */
export function isStuck(figures: ConsumerFigures, waiting: boolean, silentMs: number): boolean {
  return waiting && figures.pending > 0 && silentMs > stuckAfterMs;
}
