/** How counters have grown of late, by what was seen of them from minute to minute. */
export interface Growth {
  /**
   * Takes in what a counter shows.
   * @param value its last value
   * @param least its least value of late: a counter that is new has grown from there
   */
  note(key: string, value: number, least: number, nowUs: number): void;
  /** By how much it has grown within so many seconds. */
  read(key: string, nowUs: number, withinS: number): number;
}

interface Counter {
  value: number;
  steps: { readonly us: number; readonly by: number }[];
  seenUs: number;
}

/** No rule looks back for longer, microseconds. */
const keptUs = 86_400e6;

export function createGrowth(): Growth {
  const counters = new Map<string, Counter>();
  const forget = (nowUs: number): void => {
    for (const [key, { seenUs }] of counters) if (Math.abs(nowUs - seenUs) > keptUs) counters.delete(key);
  };
  let forgotUs = 0;
  return {
    note: (key, value, least, nowUs) => {
      if (Math.abs(nowUs - forgotUs) > 3600e6) {
        forget(nowUs);
        forgotUs = nowUs;
      }
      const known = counters.get(key);
      const before = known === undefined ? least : known.value;
      // A process that began anew counts from 0.
      const by = value >= before ? value - before : value;
      const steps = (known?.steps ?? []).filter(({ us }) => Math.abs(nowUs - us) <= keptUs);
      if (by > 0) steps.push({ us: nowUs, by });
      counters.set(key, { value, steps, seenUs: nowUs });
    },
    read: (key, nowUs, withinS) =>
      (counters.get(key)?.steps ?? [])
        .filter(({ us }) => Math.abs(nowUs - us) <= withinS * 1e6)
        .reduce((sum, { by }) => sum + by, 0),
  };
}
