import type { Running } from "@fleetmark/shared/lifecycle";
import type { HostProgress } from "@fleetmark/shared/model/progress";

/**
 * Carries what waits to a collector, over whatever it is, for as long as it runs. It connects and reconnects by
 * itself.
 */
export interface Link extends Running {
  /** Tells that the window has more to take than it said last. May come at any time, however often. */
  wake(): void;
  /** Sends progress; while the collector is away only the latest is kept for it. */
  report(progress: HostProgress): void;
}
