import { join } from "node:path";
import type { Logger } from "@fleetmark/shared/log";
import { agentConfigSchema } from "#agent/config.js";
import { type Delivery, startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { loadLink } from "#agent/links/load-link.js";
import type { ClockReading } from "#agent/time/clock.js";
import type { Journal } from "./journal.js";
import { observeWindow } from "./observed-window.js";
import { makePoints, type Shape } from "./sample.js";

export interface HostOptions {
  readonly seed: number;
  readonly host: string;
  readonly shape: Shape;
  /** The part of an agent's configuration that says where it delivers to. */
  readonly link: object;
  /** Folder of the spools of all hosts. */
  readonly spools: string;
}

export interface SimulatedHost {
  readonly host: string;
  readonly delivery: Delivery;
  /** Measures once, at a time that the host's own clock stamps. */
  produce(): void;
  /** When the newest sample was made that is known to be committed, milliseconds. */
  ackedThrough(): number;
  writeCounts(): void;
}

/** Starts a host without probes: its samples are computed, and everything after that is the agent's own delivery. */
export async function startHost(
  { seed, host, shape, link, spools }: HostOptions,
  journal: Journal,
  logger: Logger,
  readClocks: () => ClockReading,
): Promise<SimulatedHost> {
  const config = agentConfigSchema.parse({ ...link, host, spool: { dir: spoolFolder(spools, host), flush_interval: "250ms" } });
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const delivery = await startDelivery({
    host,
    spool: { dir, maxBytes: max_bytes, maxAge: max_age, resendRate: resend_rate },
    flushInterval: flush_interval,
    logger,
    readClocks,
  });
  const madeAt = new Map<number, number>();
  let ackedThrough = 0;
  let countsBefore = "";

  const noteAcked = (times: readonly number[]): void => {
    for (const time of times) {
      ackedThrough = Math.max(ackedThrough, madeAt.get(time) ?? 0);
      madeAt.delete(time);
    }
  };
  const introduction = { host, agentVersion: "0.0.0", hardwareClass: "simulated", inventoryJson: "{}" };
  const startLink = await loadLink(config);
  delivery.attach((window, counts) => {
    const observed = observeWindow(window, host, shape, journal, noteAcked);
    return startLink({ introduction, window: observed, counts, clockOffset: createClockOffsetMeter(), logger });
  });

  return {
    host,
    delivery,
    produce() {
      const timeUs = delivery.clock.stamp();
      const at = Date.now();
      journal.write({ k: "made", h: host, t: timeUs, at });
      madeAt.set(timeUs, at);
      delivery.record(makePoints(seed, host, shape, timeUs));
    },
    ackedThrough: () => ackedThrough,
    writeCounts() {
      const counts = { dropped: Object.fromEntries(delivery.counts.dropped), quarantined: delivery.counts.quarantined };
      const text = JSON.stringify(counts);
      if (text !== countsBefore) journal.write({ k: "counts", h: host, ...counts });
      countsBefore = text;
    },
  };
}

/** Where the spool of a host lies. */
export function spoolFolder(spools: string, host: string): string {
  return join(spools, host);
}
