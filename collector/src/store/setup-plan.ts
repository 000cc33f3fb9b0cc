import { formatDuration } from "@fleetmark/shared/model/units";
import type { Retention } from "./retention.js";

/** One thing that a store lacks. */
export interface SetupStep {
  readonly what: string;
  /** What the server is sent. */
  readonly request: string;
  /** Whether data may be gone afterwards. */
  readonly deletes: boolean;
  run(): Promise<void>;
}

/** What a store lacks of what its configuration wishes, in the order in which it is to be done. */
export interface SetupPlan {
  /** What was found, such as `InfluxDB 1.8.10 at http://…`. */
  readonly server: string;
  /** How long what is to be kept. */
  readonly wish: string;
  readonly steps: readonly SetupStep[];
  /** What can't be had there, and what that means. */
  readonly notes: readonly string[];
}

/** Says how long something is kept. */
export function retentionText(seconds: number): string {
  if (seconds === Number.POSITIVE_INFINITY) return "for ever";
  return seconds % 86_400 === 0 ? `${seconds / 86_400} d` : formatDuration(seconds);
}

/** Says how long everything is kept. */
export function describeRetention({ raw, hourly, records }: Retention): string {
  return `telemetry ${retentionText(raw)}, rolled up by hour ${retentionText(hourly)}, records ${retentionText(records)}`;
}
