import type { Logger } from "@fleetmark/shared/log";
import type { ClockOffsetMeter } from "../links/clock-offset.js";
import type { DeliveryCounts } from "./counts.js";
import type { Sender } from "./send-window.js";

/** How far a run is: shown where people look, never stored. */
export interface RunProgress {
  readonly run: string;
  readonly suite: string;
  /** Benchmarks completed and in all. */
  readonly completed: number;
  readonly total: number;
  /** The benchmark under way; empty when the run has ended. */
  readonly benchmark: string;
  readonly elapsedS: number;
  readonly remainingS: number;
}

/** What introduces the agent to a collector. */
export interface Introduction {
  readonly host: string;
  readonly agentVersion: string;
  readonly hardwareClass: string;
  /** A JSON object. */
  readonly inventoryJson: string;
}

/** What every link is opened with. */
export interface LinkParts {
  readonly introduction: Introduction;
  readonly sender: Sender;
  readonly counts: DeliveryCounts;
  readonly clockOffset: ClockOffsetMeter;
  readonly logger: Logger;
}

/** Carries what waits to a collector, over whatever it is, for as long as it is open. It connects and reconnects by itself. */
export interface Link {
  /** Tells that the sender has more to take than it said last. May come at any time, however often. */
  wake(): void;
  /** Sends progress; while the collector is away only the latest is kept for it. */
  report(progress: RunProgress): void;
  close(): Promise<void>;
}
