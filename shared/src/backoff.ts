/** Bounds of the wait between two attempts, seconds. */
export const backoffBounds = { first: 0.1, longest: 10 } as const;

/**
 * Returns the seconds to wait before attempt `attempt` (0, 1, 2 …): exponential with full jitter, so that a fleet does
 * not return in step (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). `chance` is uniform in
 * [0, 1).
 */
export function chooseBackoff(attempt: number, chance: number): number {
  return chance * Math.min(backoffBounds.longest, backoffBounds.first * 2 ** Math.min(attempt, 30));
}
