import { createGate, waitAtMost } from "@fleetmark/shared/waiting";

/** Says when a timed section of a benchmark is under way, so that what can wait does, and what can make way does. */
export interface QuietGate {
  set(quiet: boolean): void;
  /**
   * Resolves at once when nothing is being timed, else at the end of the section or after `seconds`, whichever is
   * first.
   */
  pass(seconds: number): Promise<void>;
  /** Calls back when a timed section begins, until the returned function is called. */
  onQuiet(listener: () => void): () => void;
}

export function createQuietGate(): QuietGate {
  const gate = createGate();
  const listeners = new Set<() => void>();
  return {
    set: (quiet) => {
      if (!quiet) return gate.open();
      if (!gate.isOpen) return;
      gate.shut();
      for (const listener of [...listeners]) listener();
    },
    pass: async (seconds) => {
      const opening = gate.wait();
      if (opening !== undefined) await waitAtMost(opening, seconds);
    },
    onQuiet: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
