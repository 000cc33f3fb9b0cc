/** Quantiles of what was observed since the last reading, in constant memory. */
export interface LatencyWindow {
  observe(seconds: number): void;
  /** Returns the quantiles asked for, each within 3 %, and begins anew; undefined when nothing was observed. */
  read(quantiles: readonly number[]): number[] | undefined;
}

/** Buckets grow by 5 % from a microsecond on; the last begins near two days. */
const growth = Math.log(1.05);
const leastSeconds = 1e-6;
const buckets = 530;

export function createLatencyWindow(): LatencyWindow {
  const counts = new Uint32Array(buckets);
  let total = 0;

  const find = (quantile: number): number => {
    let left = Math.ceil(quantile * total);
    let bucket = 0;
    while (bucket < buckets - 1 && left > counts[bucket]) left -= counts[bucket++];
    return leastSeconds * Math.exp(growth * (bucket + 0.5));
  };

  return {
    observe: (seconds) => {
      const bucket = Math.floor(Math.log(Math.max(seconds, leastSeconds) / leastSeconds) / growth);
      counts[Math.min(bucket, buckets - 1)]++;
      total++;
    },
    read: (quantiles) => {
      if (total === 0) return undefined;
      const found = quantiles.map(find);
      counts.fill(0);
      total = 0;
      return found;
    },
  };
}
