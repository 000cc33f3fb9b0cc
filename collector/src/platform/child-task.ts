import { fork } from "node:child_process";
import { type ErrorCode, FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";

/**
 * Work on files in a process of its own. POSIX record locks belong to a process, and whoever opens and closes the data
 * file in the one that holds it would release the engine's lock (fcntl(2), "Advisory record locking").
 */

/** What the child says. */
type ChildMessage =
  | { readonly kind: "bytes"; readonly done: number; readonly all: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** Told how many bytes of how many are done. */
export type OnBytes = (done: number, all: number) => void;

export interface ChildTask {
  /** Path of the child's program, which calls `doTask`. */
  readonly program: string;
  readonly args: readonly string[];
  /** What it does, for messages: `the copying of x`. */
  readonly what: string;
  readonly onBytes?: OnBytes;
  /** Ends it early, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/**
 * Has a child do something, and returns what it gives.
 * @throws FleetmarkError as the child does, FILE_FAILED where it ends without a word
 */
export function runChildTask({ program, args, what, onBytes, signal }: ChildTask): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = fork(program, args, { stdio: "ignore", execArgv: [] });
    let ended = false;
    const stop = (): void => {
      if (child.connected) child.disconnect();
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (message: ChildMessage) => {
      if (message.kind === "bytes") onBytes?.(message.done, message.all);
      else ended = true;
      if (message.kind === "done") resolve(message.result);
      if (message.kind === "failed") reject(new FleetmarkError(message.code, message.message));
    });
    child.once("error", (cause) => reject(new FleetmarkError("FILE_FAILED", `${what} failed: ${cause.message}`, { cause })));
    child.once("exit", (code, signalName) => {
      signal?.removeEventListener("abort", stop);
      if (ended) return;
      reject(new FleetmarkError("FILE_FAILED", `${what} ended early (${signalName ?? `exit code ${code}`})`));
    });
  });
}

const tellEveryMs = 200;

/** The child's side: does its task and tells of it. The end of its parent aborts it. */
export async function doTask(act: (args: readonly string[], onBytes: OnBytes, signal: AbortSignal) => Promise<unknown>) {
  const aborting = new AbortController();
  process.once("disconnect", () => aborting.abort());
  const tell = (message: ChildMessage): void => void process.send?.(message);
  let toldMs = 0;
  const onBytes: OnBytes = (done, all) => {
    if (performance.now() - toldMs < tellEveryMs) return;
    toldMs = performance.now();
    tell({ kind: "bytes", done, all });
  };
  try {
    tell({ kind: "done", result: await act(process.argv.slice(2), onBytes, aborting.signal) });
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const { code } = toFleetmarkError(thrown, message, () => {});
    tell({ kind: "failed", code, message });
  }
  process.disconnect?.();
}
