import { createHash } from "node:crypto";
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

/** What a host is called. */
export interface Naming {
  /** The name that its agent is configured with. */
  readonly host: string;
  /**
   * The name that all that waits in its spool is stored under in the end; by default each under the name that it was
   * measured under.
   */
  readonly storedAs?: string;
  /** The folder of its spool; by default its name. */
  readonly spool?: string;
}

export interface HostOptions extends Naming {
  readonly seed: number;
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
  { seed, host, storedAs, spool = host, shape, link, spools }: HostOptions,
  journal: Journal,
  logger: Logger,
  readClocks: () => ClockReading,
): Promise<SimulatedHost> {
  const name = storedAs ?? host;
  const config = agentConfigSchema.parse({ ...link, host, spool: { dir: spoolFolder(spools, spool), flush_interval: "250ms" } });
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const delivery = await startDelivery({
    host,
    hasIdentity: true,
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
  // All of them are on one machine, and play that each has its own.
  const machine = createHash("sha256").update(spool).digest("hex").slice(0, 32);
  const introduction = {
    host,
    identity: delivery.identity.id,
    machine,
    agentVersion: "0.0.0",
    hardwareClass: "simulated",
    inventoryJson: "{}",
  };
  const startLink = await loadLink(config);
  delivery.attach((window, counts) => {
    const observed = observeWindow(window, storedAs, shape, journal, noteAcked);
    return startLink({ introduction, window: observed, counts, clockOffset: createClockOffsetMeter(), logger });
  });

  return {
    host,
    delivery,
    produce() {
      const timeUs = delivery.clock.stamp();
      const at = Date.now();
      journal.write({ k: "made", h: name, t: timeUs, at });
      madeAt.set(timeUs, at);
      delivery.record(makePoints(seed, name, shape, timeUs));
    },
    ackedThrough: () => ackedThrough,
    writeCounts() {
      const counts = { dropped: Object.fromEntries(delivery.counts.dropped), quarantined: delivery.counts.quarantined };
      const text = JSON.stringify(counts);
      if (text !== countsBefore) journal.write({ k: "counts", h: name, ...counts });
      countsBefore = text;
    },
  };
}

/** Where a spool lies. */
export function spoolFolder(spools: string, spool: string): string {
  return join(spools, spool);
}
