import { errorMessage } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { openCalendar, type Recurrence } from "@fleetmark/shared/schedule/cron";
import { findDue } from "@fleetmark/shared/schedule/due";
import type { CampaignOrder } from "./campaign.js";
import type { Campaigns } from "./campaigns.js";

/**
 * Campaigns that the collector's configuration names, each started when it is due. Its id follows from its name and the
 * time that it was due at, so that collectors which share a store, and one that is started again, start it once.
 */
export interface StandingCampaign extends Recurrence {
  readonly name: string;
  readonly order: CampaignOrder;
}

export interface StandingOptions {
  readonly standing: readonly StandingCampaign[];
  readonly campaigns: Pick<Campaigns, "start">;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** Milliseconds between two looks at the clock. */
const lookEveryMs = 10_000;

/** Milliseconds: a collector that was away when a campaign was due starts it all the same, if it is not later. */
const lateByMs = 3_600_000;

/** Names a start: two of one campaign never share a minute. */
export function nameStart(name: string, dueMs: number): string {
  return `${name}-${new Date(dueMs).toISOString().slice(0, 16).replaceAll(/[-:]/g, "")}`;
}

/** Starts campaigns as they come due. */
export function startStandingCampaigns({ standing, campaigns, nowMs, logger }: StandingOptions): Running {
  const planned = standing.map((each) => ({ ...each, times: { calendar: openCalendar(each), offsetMs: 0 } }));
  const handled = new Map(planned.map(({ name }) => [name, nowMs() - lateByMs]));
  const start = async (name: string, order: CampaignOrder, dueMs: number): Promise<void> => {
    try {
      await campaigns.start(order, `schedule ${name}`, nameStart(name, dueMs));
    } catch (thrown) {
      logger.warn({ event: "campaign_not_started", campaign: nameStart(name, dueMs), err: thrown }, errorMessage(thrown));
    }
  };
  const look = (): void => {
    for (const { name, order, times } of planned) {
      const due = findDue(times, handled.get(name), nowMs());
      handled.set(name, due.handledMs);
      if (due.latestMs !== undefined && nowMs() - due.latestMs <= lateByMs) void start(name, order, due.latestMs);
    }
  };
  if (planned.length === 0) return { stop: async () => {} };
  look();
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { stop: async () => clearInterval(timer) };
}
