/** Milliseconds without a message after which a consumer that has some to give is taken for stuck. */
export const stuckAfterMs = 20_000;

/**
 * Whether the asking is stuck: the server has batches to give, this collector waits for them, and none came for long.
 * Seen after leader elections and lost requests; to ask anew costs nothing where it was a mistake.
 */
export function isStuck(pending: number, waiting: boolean, silentMs: number): boolean {
  return waiting && pending > 0 && silentMs > stuckAfterMs;
}
