import type { Running } from "@fleetmark/shared/lifecycle";
import { type HostProgress, noProgress, type RunOutlook, type RunProgress } from "@fleetmark/shared/model/progress";

/** Tells collectors of the run under way and of what comes next, whichever changes. */
export interface Outlook extends Running {
  /** Tells of the run under way; with no benchmark when it has ended. */
  reportProgress(progress: RunProgress): void;
}

export interface OutlookOptions {
  readonly report: (told: HostProgress) => void;
  readonly readOutlook: () => RunOutlook;
}

/** Milliseconds between two looks whether what comes next has changed. */
const lookEveryMs = 2000;

const isSame = (a: RunOutlook, b: RunOutlook): boolean =>
  a.next_run_us === b.next_run_us && a.next_suite === b.next_suite && a.waits_for === b.waits_for;

export function startOutlook({ report, readOutlook }: OutlookOptions): Outlook {
  let progress: RunProgress = noProgress;
  let told: RunOutlook = { next_run_us: 0, next_suite: "", waits_for: "" };
  const tell = (): void => {
    told = readOutlook();
    report({ ...progress, outlook: told });
  };
  const timer = setInterval(() => {
    if (!isSame(told, readOutlook())) tell();
  }, lookEveryMs);
  timer.unref();
  return {
    reportProgress: (latest) => {
      progress = latest;
      tell();
    },
    stop: async () => clearInterval(timer),
  };
}
