import { type Calendar, openCalendar, type Recurrence } from "@fleetmark/shared/schedule/cron";
import type { Sign } from "./signs.js";

/** A window that recurs, in which no run begins and one under way gives way: maintenance, or a shift. */
export interface Blackout extends Recurrence {
  /** Seconds. */
  readonly lasts: number;
}

export function createBlackoutSign(blackout: Blackout, nowMs: () => number): Sign {
  const calendar: Calendar = openCalendar(blackout);
  return {
    name: "blackout",
    isOwnToo: false,
    everyS: 1,
    look: async () => {
      const now = nowMs();
      const began = calendar.next(now - blackout.lasts * 1000);
      return began === undefined || began > now ? undefined : `a window in which nothing runs (${blackout.cron})`;
    },
  };
}
