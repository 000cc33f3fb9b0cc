import { type ByteBudget, createByteBudget, findDebtMs, spendBytes } from "../byte-budget.js";

/**
 * What each host may send, by what this collector was given of it. All hosts' batches come in one queue, so nobody can
 * be read more slowly than the others: what is too much goes back to the server for a while. The stream holds a bounded
 * number of batches of a host, and takes no further one of it meanwhile.
 */
export interface HostBudgets {
  readonly byHost: Map<string, ByteBudget>;
  readonly bytesPerSecond: number;
}

export function createHostBudgets(bytesPerSecond: number): HostBudgets {
  return { byHost: new Map(), bytesPerSecond };
}

/**
 * Counts a batch at its first delivery. Returns for how many milliseconds it is to go back; 0 if it is to be taken. So
 * each goes back once at most, for it is paid for when it comes again.
 */
export function chargeHost({ byHost, bytesPerSecond }: HostBudgets, host: string, bytes: number, nowMs: number): number {
  const budget = byHost.get(host) ?? createByteBudget();
  byHost.set(host, budget);
  spendBytes(budget, bytes, bytesPerSecond, nowMs);
  return findDebtMs(budget, nowMs);
}

/** Forgets the hosts that owe nothing. */
export function forgetPaid({ byHost }: HostBudgets, nowMs: number): void {
  for (const [host, { paidMs }] of byHost) if (paidMs <= nowMs) byHost.delete(host);
}
