/** What becomes of the samples of one time bucket. */
export const aggregates = ["mean", "min", "max", "last", "p50", "p95", "count"] as const;
export type Aggregate = (typeof aggregates)[number];
