import type { Verdict } from "./verdict.js";

export const severities = ["none", "low", "medium", "high"] as const;
export type Severity = (typeof severities)[number];

/** Percent of throughput lost, or percentage points of overhead gained, over which a regression is of each severity. */
export const severeLoss = { medium: 10, high: 20 } as const;

/** Percent of memory gained over which a regression is medium. */
export const severeMemory = 20;

/**
 * Grades a verdict by how much worse it became.
 * @param worsening percent or percentage points, positive where it is worse
 */
export function gradeSeverity(verdict: Verdict, worsening: number): Severity {
  if (verdict !== "regressed") return "none";
  if (worsening > severeLoss.high) return "high";
  return worsening > severeLoss.medium ? "medium" : "low";
}
