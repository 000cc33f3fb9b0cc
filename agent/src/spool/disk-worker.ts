/** Lets one task at a time touch the disk. One of them, the regular one, comes again and again: as soon as it is its turn, or within a while. */
export interface DiskTurns {
  readonly isClosed: boolean;
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  /** Lets the regular task come in its turn; once, however often it is asked for until then. */
  schedule(): void;
  /** Milliseconds. The nearest of several holds. */
  wakeWithin(ms: number): void;
  /** Schedules the regular task for the last time. Other tasks still get their turn. */
  close(): void;
}

export function createDiskTurns(regular: () => Promise<void>, onFailed: (thrown: unknown) => void): DiskTurns {
  let tail: Promise<unknown> = Promise.resolve();
  let isScheduled = false;
  let isClosed = false;
  let timer: { readonly at: number; readonly handle: NodeJS.Timeout } | undefined;

  const exclusively = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => {});
    return result;
  };

  const schedule = (): void => {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    exclusively(() => {
      isScheduled = false;
      return regular();
    }).catch(onFailed);
  };

  return {
    get isClosed() {
      return isClosed;
    },
    exclusively,
    schedule,
    wakeWithin(ms) {
      const at = performance.now() + ms;
      if (isClosed || (timer !== undefined && timer.at <= at)) return;
      clearTimeout(timer?.handle);
      const handle = setTimeout(() => {
        timer = undefined;
        schedule();
      }, ms);
      handle.unref();
      timer = { at, handle };
    },
    close() {
      schedule();
      isClosed = true;
      clearTimeout(timer?.handle);
    },
  };
}
