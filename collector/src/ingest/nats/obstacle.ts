import type { ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Metrics } from "../../telemetry/metrics.js";

/** What is in the way of taking batches, said once and not at each attempt. */
export interface Trouble {
  /** The code of what is in the way now. */
  current(): ErrorCode | undefined;
  /** Something is in the way. */
  note(reason: FleetmarkError): void;
  /** Something is not as it should be, and not in the way. */
  warn(reason: FleetmarkError): void;
  /** Nothing is in the way any more. */
  end(): void;
}

/** How many different warnings are remembered as said: each host may be denied something else. */
const remembered = 1000;

export function createTrouble(metrics: Metrics, logger: Logger): Trouble {
  let current: ErrorCode | undefined = "NATS_UNREACHABLE";
  let said = "";
  const warned = new Set<string>();

  const log = (level: "debug" | "error" | "warn", { code, remedy, message }: FleetmarkError): void => {
    logger[level]({ event: "nats_trouble", code, remedy }, message);
  };

  return {
    current: () => current,
    note: (reason) => {
      metrics.natsTaking.set(0);
      log(reason.message === said ? "debug" : "error", reason);
      current = reason.code;
      said = reason.message;
    },
    warn: (reason) => {
      if (warned.has(reason.message) || warned.size >= remembered) return;
      warned.add(reason.message);
      log("warn", reason);
    },
    end: () => {
      metrics.natsTaking.set(1);
      if (current !== undefined) logger.info({ event: "nats_taking" }, "batches are taken from NATS");
      current = undefined;
      said = "";
    },
  };
}
