import type { Command } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { type CommandRecord, commandRecord } from "@fleetmark/shared/records/command";
import type { Delivery } from "../delivery/delivery.js";
import type { CommandAnswer } from "../runs/run-book.js";
import { commandLimits } from "./command-inbox.js";

export interface AnswerRecorder {
  readonly host: string;
  readonly delivery: Pick<Delivery, "clock" | "recordResult" | "flush">;
}

/**
 * Records what became of a command, and resolves when that is on the disk: so it is known however the link and the
 * collectors come and go.
 */
export function recordAnswer({ host, delivery }: AnswerRecorder, command: Command, answer: CommandAnswer): Promise<void> {
  const { id, done, code, message, resultJson } = answer;
  const record: CommandRecord = {
    host,
    command: command.name.slice(0, commandLimits.name) || "unnamed",
    time_us: delivery.clock.stamp(),
    id,
    state: done ? "done" : "refused",
    ...(code === "" ? {} : { code }),
    ...(message === "" ? {} : { message }),
    ...(resultJson === "" ? {} : { result: JSON.parse(resultJson) }),
  };
  void delivery.recordResult(commandRecord.toPoint(record));
  return delivery.flush();
}
