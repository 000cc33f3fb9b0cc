/**
 * How a person or the system ends a command. Shells say 128 + the signal's number for what a signal ended, and so do
 * the exit codes here, whatever the command did to end in order. Until a command asks to be told, a signal ends it at
 * once; a command that was told ends at once at the second.
 */
export const interruptCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type InterruptSignal = keyof typeof interruptCodes;

type Handle = (signal: InterruptSignal) => void;

const exitAtOnce: Handle = (signal) => process.exit(interruptCodes[signal]);

let handle = exitAtOnce;

/** Lets signals end the process with their exit codes. */
export function watchSignals(): void {
  for (const signal of Object.keys(interruptCodes) as InterruptSignal[]) process.on(signal, () => handle(signal));
}

/** Hands all signals to someone else, until it is released. */
export function takeSignals(taking: Handle): { release(): void } {
  handle = taking;
  return {
    release: () => {
      handle = exitAtOnce;
    },
  };
}

/** A command's wait for the first signal. */
export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Resolves with the exit code that the first signal asks for. */
  readonly code: Promise<number>;
  /** Returns that exit code, if there was a signal. */
  caught(): number | undefined;
  release(): void;
}

/** Waits for a signal: the first is the command's to end in order, the second ends it at once. */
export function awaitInterruption(): Interruption {
  const abort = new AbortController();
  let caught: number | undefined;
  let resolveCode: (code: number) => void = () => {};
  const code = new Promise<number>((resolve) => {
    resolveCode = resolve;
  });
  const { release } = takeSignals((signal) => {
    handle = exitAtOnce;
    caught = interruptCodes[signal];
    abort.abort();
    resolveCode(caught);
  });
  return { signal: abort.signal, code, caught: () => caught, release };
}
