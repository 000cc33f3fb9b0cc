import { createGate, waitAtMost } from "@fleetmark/shared/waiting";

/** Says when a timed section of a benchmark is under way, so that what can wait does. */
export interface QuietGate {
  set(quiet: boolean): void;
  /**
   * Resolves at once when nothing is being timed, else at the end of the section or after `seconds`, whichever is
   * first.
   */
  pass(seconds: number): Promise<void>;
}

export function createQuietGate(): QuietGate {
  const gate = createGate();
  return {
    set: (quiet) => {
      if (quiet) gate.shut();
      else gate.open();
    },
    pass: async (seconds) => {
      const opening = gate.wait();
      if (opening !== undefined) await waitAtMost(opening, seconds);
    },
  };
}
