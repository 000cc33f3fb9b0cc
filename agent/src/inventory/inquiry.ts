import { errorMessage } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { createPause, type Pause } from "@fleetmark/shared/waiting";

/**
 * Keeps asking a slow and fallible source, such as a program, beside all else:
 *
 *   wait until nothing is timed ──► ask ──► an answer ──────► again after a day, or never
 *    ▲                               │ ──► an error, late ──► logged; again after 1 min, 2 min … 1 h
 *    └── after 30 s ◄── cut short ◄──┘ a benchmark begins to be timed: what is asked makes way
 */

/** Seconds. */
export const inquiryWaits = { interrupted: 30, firstFailure: 60, longestFailure: 3600 } as const;

/** Says when nothing may disturb. */
export interface InquiryGate {
  pass(seconds: number): Promise<void>;
  /** Calls back when quiet begins, until the returned function is called. */
  onQuiet(listener: () => void): () => void;
}

export interface InquiryOptions<T> {
  /** Asks; to be cut short by the signal. What it throws is logged as the reason. */
  ask(signal: AbortSignal): Promise<T>;
  onAnswer(answer: T): void;
  /** Seconds after which an answer is late; a late one is not waited for. */
  readonly deadline: number;
  /** Seconds until it is asked again, in case the answer has changed; undefined where it does not change. */
  readonly again: number | undefined;
  readonly gate: InquiryGate;
  readonly logger: Logger;
}

interface Inquiry<T> {
  readonly options: InquiryOptions<T>;
  readonly ending: AbortController;
  readonly pause: Pause;
  failures: number;
}

/** Waits for an answer no longer than its signal does. */
function askWithin<T>(ask: InquiryOptions<T>["ask"], signal: AbortSignal, deadline: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`no answer within ${deadline} s`);
    if (signal.aborted) reject(late);
    signal.addEventListener("abort", () => reject(late), { once: true });
    ask(signal).then(resolve, reject);
  });
}

/** Returns the seconds until the next time; undefined where there is none. */
async function askOnce<T>(inquiry: Inquiry<T>): Promise<number | undefined> {
  const { options, ending } = inquiry;
  const interruption = new AbortController();
  const lateness = new AbortController();
  const stopListening = options.gate.onQuiet(() => interruption.abort());
  const timer = setTimeout(() => lateness.abort(), options.deadline * 1000);
  const signal = AbortSignal.any([ending.signal, interruption.signal, lateness.signal]);
  try {
    const answer = await askWithin(options.ask, signal, options.deadline);
    inquiry.failures = 0;
    if (!ending.signal.aborted) options.onAnswer(answer);
    return options.again;
  } catch (thrown) {
    if (interruption.signal.aborted || ending.signal.aborted) return inquiryWaits.interrupted;
    const wait = Math.min(inquiryWaits.longestFailure, inquiryWaits.firstFailure * 2 ** Math.min(inquiry.failures++, 10));
    const line = { event: "inventory_failed", code: "PROBE_FAILED", retry_s: wait } as const;
    options.logger.warn(line, errorMessage(thrown));
    return wait;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

async function keepAsking<T>(inquiry: Inquiry<T>): Promise<void> {
  const { options, ending, pause } = inquiry;
  while (!ending.signal.aborted) {
    await options.gate.pass(inquiryWaits.longestFailure);
    if (ending.signal.aborted) return;
    const wait = await askOnce(inquiry);
    if (wait === undefined) return;
    if (!ending.signal.aborted) await pause.wait(wait);
  }
}

/** An inquiry that goes on. */
export interface RunningInquiry extends Running {
  /** Asks now, without waiting for the time; nothing where it is asking. */
  hurry(): void;
}

export function startInquiry<T>(options: InquiryOptions<T>): RunningInquiry {
  const inquiry: Inquiry<T> = { options, ending: new AbortController(), pause: createPause(), failures: 0 };
  const finished = keepAsking(inquiry);
  return {
    hurry: () => inquiry.pause.end(),
    stop: once(async () => {
      inquiry.ending.abort();
      inquiry.pause.end();
      await finished;
    }),
  };
}
