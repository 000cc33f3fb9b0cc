import { FleetmarkError } from "@fleetmark/shared/errors";
import type { AuditRecord } from "@fleetmark/shared/records/audit";
import type { Caller } from "../../access/roles.js";

/** What is kept of requests that change something: how many there may be, and who made them. */
export interface Changes {
  /** @throws FleetmarkError REQUESTS_TOO_MANY */
  admit(caller: string): void;
  audit(change: Change): void;
}

/** A request that changed something, or was refused. */
export interface Change {
  readonly action: string;
  readonly caller: Caller | undefined;
  readonly status: number;
  readonly detail: string;
}

/** Requests a second that a caller may keep up, and how many at once. */
const allowed = { perSecond: 5, burst: 50 } as const;
/** Callers whose pace is remembered. */
const mostCallers = 1000;
/** Characters of what was asked that are kept. */
const detailLength = 2000;

/** @param nowMs a clock that never steps */
export function createChanges(keep: (record: Omit<AuditRecord, "collector" | "time_us">) => void, nowMs: () => number): Changes {
  const budgets = new Map<string, { left: number; atMs: number }>();
  const take = (caller: string): boolean => {
    const now = nowMs();
    const before = budgets.get(caller) ?? { left: allowed.burst, atMs: now };
    const left = Math.min(allowed.burst, before.left + ((now - before.atMs) / 1000) * allowed.perSecond);
    budgets.delete(caller);
    budgets.set(caller, { left: Math.max(0, left - 1), atMs: now });
    for (const oldest of budgets.keys()) {
      if (budgets.size <= mostCallers) break;
      budgets.delete(oldest);
    }
    return left >= 1;
  };
  return {
    admit: (caller) => {
      if (take(caller)) return;
      throw new FleetmarkError("REQUESTS_TOO_MANY", `${caller} asks for changes more than ${allowed.perSecond} times a second`);
    },
    audit: ({ action, caller, status, detail }) => {
      // Strangers who knock without end fill no store.
      if (caller === undefined && !take("strangers' records")) return;
      const outcome = status < 400 ? "done" : status === 403 ? "forbidden" : "failed";
      keep({ action, by: caller?.name ?? "nobody", outcome, status, detail: detail.slice(0, detailLength) });
    },
  };
}
