/**
 * What was started and runs until it is stopped: a server, a link, a ticker, a whole daemon. `start…` functions resolve
 * when it serves, or throw with nothing left running. What holds a file or a database is opened and closed instead, by
 * the same contract.
 */
export interface Running {
  /**
   * Ends it, and resolves when all that it held is released. It may be called at any time and any number of times:
   * stopping twice is stopping once, and every call resolves when the first does. It never rejects for what could not
   * be finished in time; that is logged.
   */
  stop(): Promise<void>;
}

/** Returns a function that does something the first time, and then answers every call with what that gave. */
export function once<T>(act: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= act();
    return done;
  };
}

/** Undoes, newest first and one after the other, what was started. */
export async function undoAll(undoings: readonly (() => Promise<unknown> | unknown)[]): Promise<void> {
  for (const undo of undoings.toReversed()) await undo();
}
