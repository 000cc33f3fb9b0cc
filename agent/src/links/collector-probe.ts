import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { version } from "@fleetmark/shared/version";
import { createPause, waitAtMost } from "@fleetmark/shared/waiting";
import { pino } from "pino";
import { createCounts } from "../delivery/counts.js";
import type { SendWindow } from "../delivery/send-window.js";
import { type ClockOffset, type ClockOffsetMeter, createClockOffsetMeter } from "./clock-offset.js";
import { type LinkConfig, loadLink } from "./load-link.js";

/** What was found at the other end of an agent's link. */
export interface CollectorFound {
  readonly collectorVersion: string;
  /** Undefined where it did not answer in time. */
  readonly clock: ClockOffset | undefined;
}

/** Seconds: for the Welcome, and for the clock's first answer, which is asked for a second after it. */
const patience = { welcome: 8, clock: 3, look: 0.05 } as const;

/** A window with nothing in it: a probe sends no batch. */
const emptyWindow: SendWindow = {
  inFlight: 0,
  restart: () => {},
  takeNext: () => undefined,
  awaits: () => false,
  acknowledge: () => {},
};

interface LinkEvent {
  readonly event: string;
  readonly code?: string;
  readonly msg?: string;
  readonly collector_version?: string;
}

/** A logger that hands on the events that tell whether the link is up. */
function createLinkListener(onEvent: (event: LinkEvent) => void): Logger {
  const write = (line: string): void => {
    const event = JSON.parse(line) as LinkEvent;
    if (event.event === "link_up" || event.event === "link_down") onEvent(event);
  };
  return pino({ level: "debug", base: undefined }, { write });
}

async function waitForClock(clockOffset: ClockOffsetMeter): Promise<ClockOffset | undefined> {
  const pause = createPause();
  for (let waited = 0; clockOffset.read() === undefined && waited < patience.clock; waited += patience.look) {
    await pause.wait(patience.look);
  }
  return clockOffset.read();
}

/**
 * Attaches to the collector as the agent of a host would, with its certificate and by its link, and leaves again. It
 * comes as a guest, so that an agent which runs is not displaced.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE, TLS_REFUSED, HOST_FOREIGN and whatever else ends a link;
 *   TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, NATS_SECRET_INVALID
 */
export async function probeCollector(host: string, config: LinkConfig): Promise<CollectorFound> {
  const startLink = await loadLink(config);
  const clockOffset = createClockOffsetMeter();
  let first: LinkEvent | undefined;
  let tell = (): void => {};
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const logger = createLinkListener((event) => {
    first ??= event;
    tell();
  });
  const introduction = { host, agentVersion: version, hardwareClass: "", inventoryJson: "{}", guest: true };
  const link = startLink({ introduction, window: emptyWindow, counts: createCounts(), clockOffset, logger });
  try {
    await waitAtMost(told, patience.welcome);
    if (first === undefined) throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no answer within ${patience.welcome} s`);
    if (first.event === "link_down") {
      throw new FleetmarkError(isErrorCode(first.code) ? first.code : "COLLECTOR_UNREACHABLE", first.msg ?? "");
    }
    return { collectorVersion: first.collector_version ?? "of unknown version", clock: await waitForClock(clockOffset) };
  } finally {
    await link.stop();
  }
}
