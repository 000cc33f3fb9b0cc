/** Says when a timed section of a benchmark is under way, so that what can wait does. */
export interface QuietGate {
  set(quiet: boolean): void;
  /** Resolves at once when nothing is being timed, else at the end of the section or after `seconds`, whichever is first. */
  pass(seconds: number): Promise<void>;
}

export function createQuietGate(): QuietGate {
  let quiet = false;
  const waiting = new Set<() => void>();
  return {
    set(now) {
      quiet = now;
      if (!quiet) for (const resolve of waiting) resolve();
    },
    pass: (seconds) =>
      new Promise((resolve) => {
        if (!quiet) return resolve();
        const end = (): void => {
          clearTimeout(timer);
          waiting.delete(end);
          resolve();
        };
        const timer = setTimeout(end, seconds * 1000);
        waiting.add(end);
      }),
  };
}
