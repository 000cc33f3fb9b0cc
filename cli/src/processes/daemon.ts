import { FleetmarkError } from "@fleetmark/shared/errors";
import { reportFailure } from "../output/failure.js";
import { takeSignals } from "./interruption.js";

/** What a daemon under supervision tells its supervisor, over the IPC channel it was started with. */
export type DaemonMessage =
  | { readonly event: "ready"; readonly facts: object }
  | { readonly event: "failed"; readonly code: string; readonly message: string }
  | { readonly event: "stopped"; readonly facts: object };

export interface Daemon {
  /** Facts for the supervisor once the daemon serves. */
  readonly ready: object;
  /** Stops cleanly; returns facts for the supervisor. */
  close(): Promise<object>;
}

function tell(message: DaemonMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

/**
 * Runs a daemon until it is told to stop: by SIGTERM; by Ctrl-C or the terminal's end where a person started it; by its
 * supervisor's message or death where a supervisor did (the terminal sends its signals to both, and the supervisor
 * decides who stops first). That is what daemons are for, so it is exit code 0.
 */
export async function runDaemon(start: () => Promise<Daemon>): Promise<void> {
  const supervised = process.send !== undefined;
  const stop = new Promise<void>((resolve) => {
    takeSignals((signal) => {
      if (!supervised || signal === "SIGTERM") resolve();
    });
    process.once("message", () => resolve());
    process.once("disconnect", () => resolve());
  });
  try {
    const daemon = await start();
    await tell({ event: "ready", facts: daemon.ready });
    await stop;
    await tell({ event: "stopped", facts: await daemon.close() });
  } catch (thrown) {
    if (supervised && thrown instanceof FleetmarkError) {
      await tell({ event: "failed", code: thrown.code, message: thrown.message });
      process.exit(thrown.exitCode);
    }
    process.exit(reportFailure(thrown instanceof Error ? thrown : new Error(String(thrown))));
  }
  process.exit(0);
}
