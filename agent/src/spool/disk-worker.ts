import type { Running } from "@fleetmark/shared/lifecycle";

/**
 * Lets one task at a time touch the disk. One of them, the regular one, comes again and again: as soon as it is its
 * turn, or within a while. After `stop` the regular task comes a last time; other tasks still get their turn.
 */
export interface DiskWorker extends Running {
  readonly isStopped: boolean;
  runAlone<T>(task: () => Promise<T>): Promise<T>;
  /** Lets the regular task come in its turn; once, however often it is asked for until then. */
  schedule(): void;
  /** Milliseconds. The nearest of several holds. */
  wakeWithin(ms: number): void;
}

export function startDiskWorker(regular: () => Promise<void>, onFailed: (thrown: unknown) => void): DiskWorker {
  let tail: Promise<unknown> = Promise.resolve();
  let isScheduled = false;
  let isStopped = false;
  let timer: { readonly at: number; readonly handle: NodeJS.Timeout } | undefined;

  const runAlone = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => {});
    return result;
  };

  const schedule = (): void => {
    if (isScheduled || isStopped) return;
    isScheduled = true;
    runAlone(() => {
      isScheduled = false;
      return regular();
    }).catch(onFailed);
  };

  return {
    get isStopped() {
      return isStopped;
    },
    runAlone,
    schedule,
    wakeWithin(ms) {
      const at = performance.now() + ms;
      if (isStopped || (timer !== undefined && timer.at <= at)) return;
      clearTimeout(timer?.handle);
      const handle = setTimeout(() => {
        timer = undefined;
        schedule();
      }, ms);
      handle.unref();
      timer = { at, handle };
    },
    stop() {
      schedule();
      isStopped = true;
      clearTimeout(timer?.handle);
      return runAlone(async () => {});
    },
  };
}
