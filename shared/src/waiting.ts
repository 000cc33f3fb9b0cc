/** Ways to wait, none of which keeps a process alive that has nothing else to do. */

/** What a timer can count to: past it, it would end at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Returns seconds as a timer takes them, at most 24 days. */
export function toTimerMs(seconds: number): number {
  return Math.min(longestTimerMs, seconds * 1000);
}

/** A wait that can be cut short. */
export interface Pause {
  /** Resolves after so many seconds, or as soon as the pause is ended. One wait at a time. */
  wait(seconds: number): Promise<void>;
  end(): void;
}

export function createPause(): Pause {
  let wake = (): void => {};
  return {
    wait: (seconds) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    end: () => wake(),
  };
}

/** Lets pass or holds back: any number may wait until it opens. */
export interface Gate {
  readonly isOpen: boolean;
  open(): void;
  shut(): void;
  /** Nothing to wait for while it is open; else resolves when it opens. */
  wait(): Promise<void> | undefined;
}

interface Opening {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function createOpening(): Opening {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

export function createGate(isOpenAtFirst = true): Gate {
  let isOpen = isOpenAtFirst;
  let opening: Opening | undefined;
  return {
    get isOpen() {
      return isOpen;
    },
    open: () => {
      isOpen = true;
      opening?.resolve();
      opening = undefined;
    },
    shut: () => {
      isOpen = false;
    },
    wait: () => {
      if (isOpen) return undefined;
      opening ??= createOpening();
      return opening.promise;
    },
  };
}

/**
 * Waits for a promise, for at most so many seconds. Resolves either way, whatever the promise does: it is left behind
 * if it is late.
 */
export function waitAtMost(promise: Promise<unknown>, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    const finish = (): void => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(finish, finish);
  });
}
