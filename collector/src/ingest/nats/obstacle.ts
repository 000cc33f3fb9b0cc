import type { ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Metrics } from "../../telemetry/metrics.js";

/** What is in the way of taking batches, said once and not at each attempt. */
export interface Obstacle {
  /** The code of what is in the way now. */
  code: ErrorCode | undefined;
  /** The message that was said of it. */
  said: string;
  readonly warned: Set<string>;
  readonly metrics: Pick<Metrics, "natsTaking">;
  readonly logger: Logger;
}

/** How many different warnings are remembered as said: each host may be denied something else. */
const remembered = 1000;

export function createObstacle(metrics: Obstacle["metrics"], logger: Logger): Obstacle {
  return { code: "NATS_UNREACHABLE", said: "", warned: new Set(), metrics, logger };
}

function logReason({ logger }: Obstacle, level: "debug" | "error" | "warn", { code, remedy, message }: FleetmarkError): void {
  logger[level]({ event: "nats_trouble", code, remedy }, message);
}

/** Records that something is in the way. */
export function setObstacle(obstacle: Obstacle, reason: FleetmarkError): void {
  obstacle.metrics.natsTaking.set(0);
  logReason(obstacle, reason.message === obstacle.said ? "debug" : "error", reason);
  obstacle.code = reason.code;
  obstacle.said = reason.message;
}

/** Says that something is not as it should be, and not in the way. */
export function warnOnce(obstacle: Obstacle, reason: FleetmarkError): void {
  const { warned } = obstacle;
  if (warned.has(reason.message) || warned.size >= remembered) return;
  warned.add(reason.message);
  logReason(obstacle, "warn", reason);
}

/** Records that nothing is in the way any more. */
export function clearObstacle(obstacle: Obstacle): void {
  obstacle.metrics.natsTaking.set(1);
  if (obstacle.code !== undefined) obstacle.logger.info({ event: "nats_taking" }, "batches are taken from NATS");
  obstacle.code = undefined;
  obstacle.said = "";
}
