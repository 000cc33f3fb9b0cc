import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import type { Roots } from "../host/host-file.js";
import type { Probe } from "../probes/probe.js";
import { startTicker } from "../time/ticker.js";
import { createProbeRun, takeTurn } from "./probe-run.js";

export interface TelemetryOptions {
  readonly probes: readonly Probe[];
  readonly roots: Roots;
  readonly logger: Logger;
  /** Seconds between two turns of a probe. */
  chooseInterval(probe: string): number;
  /** Resolves when a turn may begin, after so many seconds at the latest. */
  pass(seconds: number): Promise<void>;
  stamp(): number;
  record(points: readonly Point[]): void;
}

/**
 * Starts the probes beside one another, each with turns of its own: one that is slow, hangs or fails holds up no
 * other. Turns that fall together share a batch, as all does that is recorded within the flush interval.
 */
export function startTelemetry(options: TelemetryOptions): Running {
  const { roots, logger, stamp, record } = options;
  let isStopped = false;
  const opened = options.probes.map(({ name, open }) => {
    const probe = open({ roots, logger });
    const interval = options.chooseInterval(name);
    const run = createProbeRun({ name, probe, logger, intervalS: interval, stamp, record });
    const ticker = startTicker(interval, async () => {
      await options.pass(interval);
      if (!isStopped) takeTurn(run);
    });
    return { probe, ticker };
  });
  return {
    stop: once(async () => {
      isStopped = true;
      for (const { probe } of opened) probe.close();
      await Promise.all(opened.map(({ ticker }) => ticker.stop()));
    }),
  };
}
