import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command, CommandResultSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import type { DeliveryCounts } from "../delivery/counts.js";
import type { SendWindow } from "../delivery/send-window.js";
import type { ClockOffsetMeter } from "./clock-offset.js";

/** What introduces the agent to a collector. */
export interface Introduction {
  readonly host: string;
  readonly agentVersion: string;
  readonly hardwareClass: string;
  /** A JSON object. */
  readonly inventoryJson: string;
  /** What tells this agent from another of its host's name; see host/identity.ts. */
  readonly identity?: string;
  readonly machine?: string;
  /** Sends beside the host's agent, and takes its place nowhere. */
  readonly guest?: boolean;
}

/** What every link is started with. */
export interface LinkOptions {
  readonly introduction: Introduction;
  readonly window: SendWindow;
  readonly counts: DeliveryCounts;
  readonly clockOffset: ClockOffsetMeter;
  readonly logger: Logger;
  /** Does what a collector asks; never rejects. Without it, a command is a frame that makes no sense. */
  readonly onCommand?: (command: Command) => Promise<MessageInitShape<typeof CommandResultSchema>>;
}
