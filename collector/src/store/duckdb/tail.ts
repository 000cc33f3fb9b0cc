import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Batch, countSamples } from "@fleetmark/shared/model/batch";

/** What was committed at once. */
export interface Commit {
  readonly batches: readonly Batch[];
  readonly receivedUs: number;
}

/** What a data file takes in while its tables are copied, in the order in which it was committed. */
export interface Tail {
  add(commit: Commit): void;
  /** Says that the file changed in another way, so that the tail does not tell all. */
  spoil(reason: string): void;
  /**
   * Takes what was added since it was last called.
   * @throws FleetmarkError STORE_FAILED where it does not tell all
   */
  take(): readonly Commit[];
}

/** Samples that wait in memory: some minutes of five hundred hosts, below 100 MB. */
const mostSamples = 500_000;

export function createTail(most = mostSamples): Tail {
  let commits: Commit[] = [];
  let samples = 0;
  let spoiltBy: string | undefined;
  const spoil = (reason: string): void => {
    spoiltBy ??= reason;
    commits = [];
  };
  return {
    add(commit) {
      if (spoiltBy !== undefined) return;
      commits.push(commit);
      samples += commit.batches.reduce((sum, batch) => sum + countSamples(batch), 0);
      if (samples > most) spoil("more came in meanwhile than is kept in memory");
    },
    spoil,
    take() {
      if (spoiltBy !== undefined) throw new FleetmarkError("STORE_FAILED", spoiltBy);
      const taken = commits;
      commits = [];
      samples = 0;
      return taken;
    },
  };
}
