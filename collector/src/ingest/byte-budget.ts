/**
 * What a host may send: so many bytes in a second, and ten seconds' worth of them at once. The generic cell rate
 * algorithm (ITU-T I.371) with bytes for cells: one number for a host, whatever it sends.
 */
export interface ByteBudget {
  /** When what was sent so far would be paid for at the host's rate, by performance.now. */
  paidMs: number;
}

/** So much of what it may send in a second a host may send at once: seconds. */
const burstS = 10;

export function createByteBudget(): ByteBudget {
  return { paidMs: 0 };
}

/** Counts bytes against what a host may send. */
export function spendBytes(budget: ByteBudget, bytes: number, bytesPerSecond: number, nowMs: number): void {
  budget.paidMs = Math.max(budget.paidMs, nowMs) + (1000 * bytes) / bytesPerSecond;
}

/** Returns for how many milliseconds a host is to wait that has sent too much of late; 0 if it has not. */
export function findDebtMs({ paidMs }: ByteBudget, nowMs: number): number {
  return Math.max(0, paidMs - nowMs - 1000 * burstS);
}
